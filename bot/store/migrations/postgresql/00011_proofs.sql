-- +goose Up
-- When a person last signed in to GitHub for the bot, and as which account. at: microseconds since 1970.
CREATE TABLE proofs (
    workspace TEXT   NOT NULL,
    person    TEXT   NOT NULL,
    github    BIGINT NOT NULL,
    login     TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (workspace, person)
);
