-- What says that something is not there is little beside what is: found without reading the rest.
CREATE INDEX coverage_silent ON coverage (dataset, instrument, source) WHERE fact <> 'present'
