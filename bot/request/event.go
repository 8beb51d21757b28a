package request

import "time"

// Event is one entry of the audit: what happened, to which request, and by
// whom. Events are only ever added, each chained to the one before it by its hash.
type Event struct {
	Seq     int64 // from 1, without gaps; set by the store
	At      time.Time
	Request string         // empty: about no request
	Kind    string         // "asked", "refused", "planned", "started", …
	By      string         // GitHub login, or "slack:<workspace>/<user>" while that isn't known; empty: the bot
	Data    map[string]any // no texts of messages; secrets are taken out when it is written
	Hash    string         // hex; set by the store
}
