-- A merge of entries waits for some fifty parts. The base is lowered as parts
-- gather, in a straight line from ten of them to fifty, so that with a base of 40
-- some twenty-five were merged, with this one some forty-eight.

ALTER TABLE entries_all MODIFY SETTING merge_selector_base = 1000;
