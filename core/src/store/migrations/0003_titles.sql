-- A form that never came in is known to people by its title, which only the list has.
ALTER TABLE form_failure ADD COLUMN title TEXT NOT NULL DEFAULT '';
