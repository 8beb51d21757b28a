package slacktest

import "time"

// Limit is how many calls of a method Slack answers within a time; the next one is
// told to wait until that is over.
type Limit struct {
	Calls int
	Per   time.Duration
}

// Tiers are Slack's limits of the methods that there are here, by the method, for
// Options.Limits. minute is what Slack's minute is, so that a test needn't wait for a
// real one.
// See https://docs.slack.dev/apis/web-api/rate-limits/.
func Tiers(minute time.Duration) map[string]Limit {
	limits := map[string]Limit{}
	for calls, methods := range map[int][]string{
		1:  {"apps.connections.open"},
		20: {"conversations.list", "reactions.add"},
		50: {
			"chat.delete", "chat.update", "conversations.history", "conversations.info", "conversations.join",
			"conversations.open", "conversations.replies", "users.lookupByEmail",
		},
		100: {
			"chat.postEphemeral", "conversations.members", "files.completeUploadExternal", "files.getUploadURLExternal",
			"users.info", "views.open", "views.publish", "views.push", "views.update",
		},
	} {
		for _, method := range methods {
			limits[method] = Limit{Calls: calls, Per: minute}
		}
	}
	return limits
}

// window counts the calls of a method since a time.
type window struct {
	since time.Time
	calls int
}

// count counts a call of a method, or tells until when it must wait. w.mu is locked.
func (w *Workspace) count(method string) *pause {
	limit, ok := w.opts.Limits[method]
	if !ok {
		return nil
	}
	now, in := time.Now(), w.windows[method]
	if in == nil || !now.Before(in.since.Add(limit.Per)) {
		in = &window{since: now}
		w.windows[method] = in
	}
	if in.calls++; in.calls <= limit.Calls {
		return nil
	}
	w.waits[method] = &pause{until: in.since.Add(limit.Per)}
	return w.waits[method]
}
