"""Takes in files of other layouts: shows how it reads them, asks where that cannot be told, and makes raw parts of them.

Belongs here: what files of other tools mean, and what their rows prove. Does not belong here: what a vendor answers.
"""
