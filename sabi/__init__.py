"""sabi (錆, rust): what the stages of the grading pipeline share."""
