"""What instructors do around grading: roster, due dates, collecting, exporting."""
