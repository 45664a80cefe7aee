"""What we know: one SQL database, one text for every engine.

Belongs here: named statements (`sql/`), numbered migrations, and one file per room of the database that turns rows
into frozen values. Does not belong here: files of data (the lake), or deciding anything (the stages' plans).
"""
