// Reads the page anew when something has changed, and says when the node can no longer be reached.
const source = new EventSource(document.body.dataset.events);
let version = null;
let reading = false;

async function renew() {
  if (reading) return;
  reading = true;
  try {
    // Of a page whose content stays, only what stands around it is read anew.
    const kept = document.querySelector("main[data-kept]");
    const answer = await fetch(kept ? `${document.body.dataset.base}/` : location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of ["main:not([data-kept])", "footer"]) {
      const fresh = page.querySelector(part);
      const shown = document.querySelector(part);
      if (fresh && shown) shown.innerHTML = fresh.innerHTML;
    }
    if (kept) for (const note of document.querySelectorAll(".since")) note.hidden = false;
    else document.title = page.title;
    const icon = page.getElementById("icon");
    if (icon) document.getElementById("icon").href = icon.getAttribute("href");
    const dot = page.querySelector(".dot");
    if (dot) document.querySelector(".dot").className = dot.className;
  } finally {
    reading = false;
  }
}

function told(words) {
  const shown = document.getElementById("connection");
  if (shown) shown.textContent = words;
}

source.onmessage = (event) => {
  const back = document.getElementById("connection")?.textContent;
  told("");
  if (back || (version !== null && version !== event.data)) {
    renew();
    document.dispatchEvent(new Event("changed"));
  }
  version = event.data;
};
source.onerror = () => {
  told("The node does not answer; what you see may be old.");
  document.getElementById("icon").href = document.body.dataset.unknown;
  document.querySelector(".dot").className = "dot unknown";
  for (const headline of document.querySelectorAll(".headline")) headline.className = "headline unknown";
};
document.addEventListener("visibilitychange", renew);
