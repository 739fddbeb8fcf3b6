"""The grades of the visual rating of weathering steel (JSSC Technical Report 86)."""

GRADES = (1, 2, 3, 4, 5)  # layered peeling to sound
LOWEST, HIGHEST = float(GRADES[0]), float(GRADES[-1])
# Grades 3 to 5 mean no abnormality; 2 is to be watched, 1 to be acted on.
WORST_SOUND = 3
