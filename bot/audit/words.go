package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// us is what the bot is called.
const us = "rootbot"

// entry is an event on its way into words. What is taken from its data is told;
// what is left at the end is told as it is, so that nothing is passed over.
type entry struct {
	request.Event
	left map[string]any
	ours bool // the bot did it, by itself or for somebody
}

func newEntry(e request.Event) *entry { return &entry{Event: e, left: maps.Clone(e.Data)} }

func (e *entry) take(key string) any {
	v := e.left[key]
	delete(e.left, key)
	return v
}

// text takes a value as text.
func (e *entry) text(key string) string { return text(e.take(key)) }

// with takes a value and puts it into a format; there is nothing to say of an
// empty value.
func (e *entry) with(format, key string) string {
	if s := e.text(key); s != "" {
		return fmt.Sprintf(format, s)
	}
	return ""
}

// proof takes when who decides has proved anew who they are.
func (e *entry) proof() string {
	said := e.text("proved")
	if at, err := time.Parse(time.RFC3339Nano, said); err == nil {
		said = moment(at)
	}
	if said == "" {
		return ""
	}
	return ", having signed in to GitHub at " + said
}

// named takes a person, as the audit calls them, and puts them into a format.
func (e *entry) named(format, key string) string {
	if name := e.text(key); name != "" {
		return fmt.Sprintf(format, by(name, request.Asker{}).called(name))
	}
	return ""
}

// digest takes the digest of a plan, as people are shown it.
func (e *entry) digest() string {
	return strings.TrimSpace("plan " + beginning(e.text("digest")))
}

// text is a value as a person reads it: lists with commas, objects as JSON.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var list []string
		for _, one := range v {
			list = append(list, text(one))
		}
		return strings.Join(list, ", ")
	case []string:
		return strings.Join(v, ", ")
	case fmt.Stringer: // json.Number
		return v.String()
	}
	encoded, err := compact(v)
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}

// decode reads a part of an event's data, which JSON made a map of, into v. It
// tells whether there was something that fits.
func decode(part, v any) bool {
	encoded, err := json.Marshal(part)
	return err == nil && part != nil && json.Unmarshal(encoded, v) == nil
}

// empty tells whether a value says nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// beginning is as much of a digest as people can compare.
func beginning(digest string) string { return cut(digest, 8) }

// cut is at most the first n bytes of a text, in whole characters.
func cut(s string, n int) string {
	for len(s) > n && n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:min(n, len(s))]
}

// sentence tells the event in plain words, on one line. Its plan and its report
// aren't in it: they have lines of their own.
func (e *entry) sentence() string {
	if e.plan() != nil {
		e.take("plan")
	}
	if e.report() != nil {
		e.take("report")
	}
	what := e.words()
	what += e.with(" — it ended as %s", "state") + e.with(" (changed: %s)", "changed")
	maps.DeleteFunc(e.left, func(_ string, v any) bool { return empty(v) })
	if len(e.left) > 0 {
		what += " " + text(e.left)
	}
	return ops.Visible(what)
}

// does begins a sentence about what somebody did themselves.
func (e *entry) does(format string, args ...any) string {
	return e.who() + " " + fmt.Sprintf(format, args...)
}

// happens begins a sentence about what the bot did, on whose behalf.
func (e *entry) happens(format string, args ...any) string {
	e.ours = true
	who := us
	if e.By != "" {
		who += " for " + e.who()
	}
	return who + ": " + fmt.Sprintf(format, args...)
}

func (e *entry) words() string {
	switch e.Kind {
	case "asked":
		who := e.who()
		e.take("asker")
		what := who + " asked for " + e.text("operation") + inputs(e.take("inputs"))
		if e.take("preview") == true {
			what += " (only a preview)"
		}
		return what + e.with(" (it runs %s again)", "again")
	case "admitted":
		return e.does("was admitted")
	case "refused":
		tried := e.text("tried")
		if tried == "" {
			return e.does("was refused%s", e.with(", because: %s", "reason"))
		}
		return e.does("tried to %s%s, and was refused%s", tried, e.with(" (state: %s)", "state"), e.with(", because: %s", "reason"))
	case "too-late":
		return e.does("tried to %s%s, and it changed nothing%s", e.text("tried"), e.with(" (state: %s)", "state"), e.with(", because: %s", "reason"))
	case "planned":
		return e.happens("%s was made%s", e.digest(), e.summary()+e.with(", approvals needed: %s", "need"))
	case "unplanned":
		return e.happens("no plan could be made%s", e.with(", because: %s", "reason"))
	case "shown":
		return e.happens("%s was shown%s", e.digest(), e.where())
	case "unshown":
		return e.happens("%s couldn't be shown%s", e.digest(), e.with(", because: %s", "reason"))
	case "approved":
		return e.does("approved %s%s%s", e.digest(), e.proof(), e.with(", because: %s", "reason"))
	case "rejected":
		return e.does("rejected it%s", e.with(", because: %s", "reason"))
	case "withdrawn":
		return e.does("withdrew it%s", e.with(", because: %s", "reason"))
	case "expired":
		return e.happens("it expired, for nobody decided in time")
	case "reminded":
		return e.happens("people were reminded to decide")
	case "stale":
		return e.happens("the plan has changed, it is %s now%s%s", e.digest(), e.summary(), e.with(" (new in it: %s)", "beyond")+e.with(" (changed settings: %s)", "terms"))
	case "replanned":
		return e.happens("the plan was made again as %s, with nothing new in it", e.digest())
	case "started":
		e.take("need")
		return e.happens("the run began%s%s%s", e.with(" with %s", "digest"), e.with(", approved by %s", "approved"), e.with(", run alone by %s", "alone"))
	case "lapsed":
		return e.happens("the approval by %s doesn't count any more, so the run waits for another%s", e.text("login"), e.with(", because: %s", "reason"))
	case "lifted":
		return e.happens("people undid what the run had done, so it waits for what they decide%s", e.with(": %s", "reason"))
	case "again":
		return e.does("had it done again%s%s", e.proof(), e.with(", because: %s", "reason"))
	case "end":
		return e.does("left it as people had made it%s", e.with(", because: %s", "reason"))
	case "voided":
		return e.happens("it was withdrawn, for it was stored too late: the requester had been told that it wasn't taken")
	case "adopted":
		return e.happens("it goes on with other settings than it was planned with: %s instead of %s", e.text("now"), e.text("before"))
	case "acting":
		return e.happens("about to change something: %s", e.text("step"))
	case "step-begun":
		return e.happens("step begun: %s", e.text("step"))
	case "step-ended":
		return e.happens("step ended: %s", e.text("step"))
	case "step-failed":
		return e.happens("step failed: %s%s", e.text("step"), e.with(", because: %s", "reason"))
	case "calling":
		return e.happens("about to call AWS:%s%s%s", e.with(" %s", "service"), e.with(" %s", "action"), e.with(" on %s", "target"))
	case "called":
		return e.happens("AWS:%s%s%s%s%s%s", e.with(" %s", "service"), e.with(" %s", "action"), e.with(" on %s", "target"),
			e.with(" — request ID %s", "aws_request"), e.with(" — %s", "outcome"), e.with(" — error: %s", "error"))
	case "told":
		return e.happens("told%s%s%s", e.named(" %s", "to"), e.where(), e.with(": %s", "message"))
	case "undo":
		return e.does("began to restore it%s%s", e.with(", because: %s", "reason"), e.with(" (what it will do: %s)", "effects"))
	case "undone":
		return e.happens("everything that it did has been restored")
	case "alarm":
		return e.happens("wrote to the members%s%s%s", e.with(" about %s", "name"), e.with(": %s", "text"), e.with(" (users %s)", "to"))
	case "gave-up":
		return e.happens("gave up%s", e.with(", because: %s", "reason"))
	case "break-glass":
		return e.does("broke the glass for %s, so that it runs without %s%s%s", e.digest(), cmp.Or(e.with("%s of its approvals", "missing"), "approval"), e.proof(), e.with(", because: %s", "reason"))
	case "reviewed":
		return e.does("reviewed it afterwards%s", e.with(": %s", "reason"))
	case "linked":
		return e.does("was linked to the GitHub account %s%s%s%s", e.text("github"), e.with(" (ID %s)", "github_id"), e.named(", being %s", "user"), e.with(", proved by %s", "how")+e.named("; the link of %s ended with that", "before"))
	case "link-confirmed":
		return e.does("confirmed the link%s to the GitHub account %s%s", e.named(" of %s", "user"), e.text("github"), e.with(" (ID %s)", "github_id"))
	case "link-revoked":
		return e.does("revoked the link%s to the GitHub account %s%s", e.named(" of %s", "user"), e.text("github"), e.with(" (ID %s)", "github_id"))
	case "unlinked":
		return e.does("was unlinked from the GitHub account%s%s", e.with(" %s", "github"), e.with(" (ID %s)", "github_id"))
	case "proved":
		return e.does("proved to be the GitHub account %s%s%s%s", e.text("github"), e.with(" (ID %s)", "github_id"), e.named(", being %s", "user"), e.with(", by %s", "how"))
	case "claimed":
		return e.does("claimed the GitHub account %s%s%s, and was refused%s", e.text("github"), e.with(" (ID %s)", "github_id"), e.with(", which is %s's", "owner"), e.with(", because: %s", "reason"))
	case "channel-renamed":
		return e.happens("the channel %s is called #%s now, and was #%s before%s%s", e.text("channel"), e.text("now"), e.text("was"),
			e.with(" (settings: %s)", "settings"), e.with("; %s has its name now", "other"))
	case "settings":
		return e.happens("the settings are %s now%s", e.text("hash"), e.with(", and were %s before", "before"))
	case "process-started":
		return e.happens("the process started%s%s%s", e.with(", version %s", "version"), e.with(", settings %s", "settings"), e.with(", operations %s", "operations"))
	case "process-stopped":
		return e.happens("the process stopped")
	case "restored":
		return e.does("announced that the record was restored from a backup%s%s", e.with(", because: %s", "reason"), e.with(" (what was anchored and is gone: %s)", "void"))
	case "anchored", "anchored-daily", "anchored-vault":
		return e.happens("the audit was anchored up to event %s%s%s", e.text("seq"), e.with(" with hash %s", "hash"), e.with(" at %s", "where"))
	}
	return e.who() + ": " + e.Kind
}

// summary is the plan's.
func (e *entry) summary() string {
	if p := e.plan(); p != nil {
		return ": " + p.Summary
	}
	return ""
}

// plan is the one in the event's data; nil without one.
func (e *entry) plan() *ops.Plan {
	var p ops.Plan
	if !decode(e.Data["plan"], &p) || p.Summary == "" {
		return nil
	}
	return &p
}

// report is the one in the event's data; nil without one.
func (e *entry) report() *ops.Report {
	var r ops.Report
	if !decode(e.Data["report"], &r) || r.Summary == "" {
		return nil
	}
	return &r
}

// where takes the place of a message.
func (e *entry) where() string {
	return e.with(" in channel %s", "channel") + e.with(" (message %s)", "ts")
}

// inputs are what was given with the ask, by name.
func inputs(v any) string {
	var given ops.Inputs
	switch {
	case empty(v):
		return ""
	case !decode(v, &given):
		return ": " + text(v)
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		list = append(list, strings.TrimSpace(name+" "+strings.Join(given[name], ", ")))
	}
	return ": " + strings.Join(list, "; ")
}
