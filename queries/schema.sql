-- schema: the tables of a ledger (DuckDB), one page.
--
-- Conventions
--   tx            position of a transaction in chain order over the whole ledger, dense from 0 (the coinbase of block 1);
--                 a block, and under the mediantime clock a day, is a contiguous range of tx
--   account       first 8 bytes of SHA-256(scriptPubKey), big-endian, signed; an output that pays a public key directly
--                 (P2PK) has the account of the P2PKH script of that key
--   value, fees   satoshis
--   hash, txid    32 bytes in display order: lower(hex(hash)) is what explorers print
--   time          seconds since 1970 UTC
-- Rows of every table stand in chain order. Genesis (height 0) is not in the ledger.

-- What the file is: its network and the version of this schema.
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

-- One row per block of the best chain.
CREATE TABLE block (
    height          INTEGER NOT NULL,
    hash            BLOB NOT NULL,
    prev_hash       BLOB NOT NULL,
    time            BIGINT NOT NULL,    -- header time
    mediantime      BIGINT NOT NULL,    -- median of the header times of the block and its up to ten predecessors
    day             DATE NOT NULL,      -- UTC day of mediantime
    size            INTEGER NOT NULL,   -- serialized bytes, witness included
    tx_count        INTEGER NOT NULL,   -- coinbase included
    first_tx        BIGINT NOT NULL,    -- tx of the coinbase
    fees            BIGINT NOT NULL,    -- debits minus credits of the non-coinbase transactions
    issuance        BIGINT NOT NULL,    -- credits of the coinbase minus fees
    transfer_count  BIGINT NOT NULL,    -- positive non-coinbase outputs whose account is not among the inputs of their transaction
    transfer_value  BIGINT NOT NULL,    -- sum of those outputs
    digest          BIGINT NOT NULL     -- 64-bit fingerprint of hash, time, size and the rows in tx, debit, credit and coinbase
);

-- One row per transaction, coinbase included.
-- Uncompressed, since hashes cannot be compressed and trying to takes longer than all else in an ingest.
CREATE TABLE tx (
    tx      BIGINT NOT NULL,
    height  INTEGER NOT NULL,
    txid    BLOB NOT NULL USING COMPRESSION uncompressed
);

-- One row per input: the account and value of the output that it spends. A coinbase transaction has none.
CREATE TABLE debit (tx BIGINT NOT NULL, account BIGINT NOT NULL, value BIGINT NOT NULL);

-- One row per output, zero values and unspendable scripts included.
CREATE TABLE credit (tx BIGINT NOT NULL, account BIGINT NOT NULL, value BIGINT NOT NULL);

-- The scriptSig of each block's coinbase input, where pools sign.
CREATE TABLE coinbase (height INTEGER NOT NULL, script_sig BLOB NOT NULL);

-- The scriptPubKey behind an account, for accounts that must be printable: every payee of a coinbase. Where coinbases pay
-- both a key directly and its hash, which are one account, it is the script of the first.
CREATE TABLE script (
    account  BIGINT NOT NULL,
    script   BLOB NOT NULL,
    tx       BIGINT NOT NULL            -- the first coinbase that paid it
);

-- What is known of the node's files, so that a later ingest reads only what is new. Not part of the ledger's content:
-- a ledger filled over RPC has the same rows everywhere else.
CREATE SCHEMA source;
CREATE TABLE source.folder (path VARCHAR NOT NULL, xor_key BLOB NOT NULL);
CREATE TABLE source.file (
    number      INTEGER NOT NULL,       -- of blkNNNNN.dat
    size        BIGINT NOT NULL,        -- bytes when it was scanned
    mtime_ns    BIGINT NOT NULL,
    scanned_to  BIGINT NOT NULL         -- position behind the last block found
);
CREATE TABLE source.header (
    hash         BLOB NOT NULL,         -- here in the byte order of the wire, like prev_hash
    prev_hash    BLOB NOT NULL,
    bits         BIGINT NOT NULL,
    tx_count     BIGINT NOT NULL,
    file         INTEGER NOT NULL,
    "offset"     BIGINT NOT NULL,       -- of the block in its file, behind magic and size
    size         BIGINT NOT NULL,
    height       INTEGER NOT NULL,      -- -1 while no known chain leads back to genesis
    work         BLOB NOT NULL          -- of the chain up to this block, 32 bytes big-endian
);
-- Fingerprints of the tables above, so that verify sees when one of their rows has changed.
CREATE TABLE source.print (
    files    HUGEINT NOT NULL,          -- of folder and file
    headers  HUGEINT NOT NULL
);

-- What depends on the rows above and the clock alone, computed once for a complete day and kept (reflow.ledger.kept_days). A
-- cache: without these rows a recompute takes longer, and nothing else changes.
CREATE SCHEMA kept;
CREATE TABLE kept.until (
    clock   VARCHAR PRIMARY KEY,        -- mediantime or header
    blocks  INTEGER NOT NULL            -- so many of the ledger's first blocks are those of kept days
);
CREATE TABLE kept.day (
    clock             VARCHAR NOT NULL,
    day               DATE NOT NULL,    -- every UTC day from the ledger's first to the last kept one, in order
    active            BIGINT NOT NULL,  -- distinct accounts debited, or credited more than 0
    sent              BIGINT NOT NULL,  -- distinct accounts debited
    received          BIGINT NOT NULL,  -- distinct accounts credited more than 0
    holders           BIGINT NOT NULL,  -- accounts with a balance above 0 at the end of the day
    fee_middle        BIGINT NOT NULL,  -- sat; the fee in the middle of all non-coinbase transactions' fees, or the sum of the two
    fee_middles       BIGINT NOT NULL,  -- how many these are: 0, 1 or 2
    transfer_middle   BIGINT NOT NULL,  -- the same of the outputs that block.transfer_count counts
    transfer_middles  BIGINT NOT NULL
);
-- The accounts that hold something at the end of the last kept day.
CREATE TABLE kept.holding (
    clock    VARCHAR NOT NULL,
    account  BIGINT NOT NULL,
    balance  BIGINT NOT NULL            -- sat, not 0
);
