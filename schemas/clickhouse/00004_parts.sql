-- How parts are kept and merged. Writing and merging 80 columns costs what a
-- whole insert costs, for each merge that a row goes through, and a file per
-- column makes hundreds of files of each insert.
--
-- An insert is one file (compact) until a merge makes it large; a merge waits
-- for some forty parts of a size, so that most rows are merged once.


ALTER TABLE entries_all MODIFY SETTING min_rows_for_wide_part = 131072, merge_selector_base = 40;
ALTER TABLE findings_all MODIFY SETTING min_rows_for_wide_part = 131072;
