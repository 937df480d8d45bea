-- forget_headers: removes the known headers that are about to be stored anew, with a height that is known by now.
--
-- Reads    incoming (hash, ...), source.header
-- Changes  source.header
DELETE FROM source.header
WHERE hash IN (SELECT hash FROM incoming)
