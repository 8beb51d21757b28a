-- Where a person can be answered for their eyes only, for the 30 minutes in which that is
-- good. It is a key to the conversation, so it stands here sealed. till: microseconds since 1970.

-- +goose Up
CREATE TABLE replies (
    thread TEXT   PRIMARY KEY, -- the request's ID, or the thread of the answers to a click
    sealed TEXT   NOT NULL,
    till   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE replies;
