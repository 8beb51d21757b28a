package chat

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// Places of the notices about a request that runs without its approvals, in the
// thread of the first. The time of the click follows, in microseconds; or the ID of
// the reminder's message.
const (
	glassPlace    = "glass/"
	reminderPlace = "reminder/"
)

// glassThread is the thread of a request's notices.
func glassThread(r request.Request) string { return request.Glass + "/" + r.ID }

// loud tells everybody in the log channel what must not happen unheard. Where that
// channel takes no message, every known member is told by themselves, and the
// channel once it does again.
func (c *Chat) loud(ctx context.Context, m request.Message, r request.Request, sent receipt) error {
	if m.Kind != request.Restore && (r.Glass == nil || m.Kind == request.GlassDue && r.Looked != nil) {
		return c.delivered(ctx, store.Delivery{Messages: []int64{m.ID}}) // there is nothing to tell any more
	}
	d := c.drawLoud(ctx, m, r)
	err := c.proclaim(ctx, m, r, d, sent)
	if isClosed(err) || refuses(err) {
		name := fmt.Sprintf("%s/%d", m.Kind, m.ID)
		if m.Kind == request.Glass {
			// Brought up to date ever again, it is told once.
			name = bot.GlassAlarm(r)
		}
		text := letter(d) + "\nYou read it here because " + c.channelName + " takes no message. Type `/rootbot requests` to decide about it."
		if told := c.desk.Alarm(ctx, r.ID, name, text); told != nil {
			c.log.Error("tell the members what the log channel doesn't take", "request", r.ID, "kind", m.Kind, "error", told)
			return fmt.Errorf("tell the members: %w", told) // neither heard it: try both again
		}
	}
	return err
}

// What a drawing has for Slack alone: people with their logins, people, links, and
// everybody.
var (
	mentioned = regexp.MustCompile(`<@[A-Z0-9]+> \(([^)]*)\)`)
	called    = regexp.MustCompile(`<@([A-Z0-9]+)>`)
	leads     = regexp.MustCompile(`<(https?://[^|>]*)\|([^>]*)>`)
	everybody = strings.NewReplacer("<!channel> ", "", "*", "")
)

// letter is what a drawing says, as text by which nobody is called.
func letter(d drawing) string {
	text := mentioned.ReplaceAllString(everybody.Replace(d.words()), "$1")
	text = leads.ReplaceAllString(called.ReplaceAllString(text, "$1"), "$2: $1")
	return unescape(strings.TrimSpace(text))
}

func (c *Chat) drawLoud(ctx context.Context, m request.Message, r request.Request) drawing {
	o, where := c.operationOf(r), c.where(ctx, r.Card)
	switch m.Kind {
	case request.Restore:
		return drawRestore(o, r, m.Body.Text, where)
	case request.GlassDue:
		members, err := c.desk.Members(ctx)
		if err != nil {
			c.log.Warn("find out whom to remind", "request", r.ID, "error", err)
		}
		// Neither who asked nor who had it run alone can look at it.
		delete(members, r.Asker.User)
		delete(members, r.Glass.User)
		return drawGlassDue(o, r, calling(slices.Sorted(maps.Keys(members))...), where)
	}
	return drawGlass(o.Command, r, where)
}

// proclaim posts a loud message in the log channel, or brings it up to date.
func (c *Chat) proclaim(ctx context.Context, m request.Message, r request.Request, d drawing, sent receipt) error {
	if m.Kind == request.Glass {
		return c.glass(ctx, m, r, d, sent)
	}
	p, err := c.tell(ctx, m, store.Post{Channel: c.channel}, d)
	if err != nil {
		return err
	}
	if m.Kind == request.GlassDue {
		if err := c.delivered(ctx, store.Delivery{Thread: glassThread(r), Place: reminderPlace + strconv.FormatInt(m.ID, 10), Post: p.Post}); err != nil {
			return err
		}
	}
	return sent("", p.Post)
}

// glass makes or brings up to date the notice that something runs alone: for
// everybody in the log channel, loudly, until another member has looked at it. A
// second time is another notice, for an edit makes no noise.
func (c *Chat) glass(ctx context.Context, m request.Message, r request.Request, d drawing, sent receipt) error {
	place := glassPlace + strconv.FormatInt(r.Glass.At.UnixMicro(), 10)
	places, err := c.store.Places(ctx, glassThread(r), glassPlace)
	if err != nil {
		return err
	}
	at, posted := places[place]
	if !posted {
		p, err := c.tell(ctx, m, store.Post{Channel: c.channel}, d)
		if err != nil {
			return err
		}
		for _, old := range places {
			if err := c.retire(ctx, m, old, drawNotice("🚨 *Break glass*: its plan changed, and it was done again; the newest notice is below.")); err != nil {
				return err
			}
		}
		at, posted = p.Post, p.found
	}
	if posted {
		if at, err = c.amend(ctx, m, at, store.Post{Channel: c.channel}, d); err != nil {
			return err
		}
	}
	if r.Looked != nil {
		reminders, err := c.store.Places(ctx, glassThread(r), reminderPlace)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(reminders)) {
			if err := c.retire(ctx, m, reminders[name], drawNotice(fmt.Sprintf("🚨 *Break glass*: looked at by %s at %s.", person(*r.Looked), moment(r.Looked.At)))); err != nil {
				return err
			}
		}
	}
	return c.delivered(ctx, store.Delivery{Messages: []int64{m.ID}, Thread: glassThread(r), Place: place, Post: at, Events: c.desk.Receipt(m, r, at)})
}

// emergency says who had which request run alone.
func emergency(command string, r request.Request) string {
	about := ""
	if r.Plan != nil && r.Plan.Target != "" {
		about = " for " + item(r.Plan.Target, lineLimit)
	}
	return fmt.Sprintf("%s had `%s`%s run alone, without the %s that it needs.", person(*r.Glass), command, about, approvals(max(1, r.Need-len(r.Reviews))))
}

func drawGlass(command string, r request.Request, where string) drawing {
	var b sheet
	b.add("<!channel> 🚨 *Break glass*: " + emergency(command, r))
	b.add("Reason: " + item(r.Glass.Reason, lineLimit))
	b.add(cutEscaped(state(r, linked), lineLimit))
	if held := heldUp(r); held != "" {
		b.add(held)
	}
	if !r.Alone() {
		b.add("The plan has changed since, so that doesn't count for it any more.")
	}
	if where != "" {
		b.add(fmt.Sprintf("<%s|Here is the thread>.", where))
	}
	if r.Looked != nil {
		b.add(fmt.Sprintf("Looked at by %s at %s: %s", person(*r.Looked), moment(r.Looked.At), item(r.Looked.Reason, lineLimit)))
		return drawing{text: "Break glass: looked at", blocks: b.blocks()}
	}
	b.add("*Another member of the team must look at this afterwards*: was it needed, and did it do what it should?")
	about := ""
	if r.Plan != nil && r.Plan.Target != "" {
		about = " for " + item(r.Plan.Target, lineLimit)
	}
	return drawing{
		text:   fmt.Sprintf("<!channel> Break glass: `%s`%s runs without its approvals", command, about),
		blocks: append(b.blocks(), slack.NewActionBlock("looked", button(request.Reviewed, "I have looked at it", r, ""))),
	}
}

// drawGlassDue draws the reminder that something which ran alone has still to be
// looked at; call mentions who may.
func drawGlassDue(o ops.Operation, r request.Request, call, where string) drawing {
	var b sheet
	b.add(strings.TrimSpace(call + " 🚨 *Break glass has not been looked at yet*: " + emergency(o.Command, r)))
	b.add(fmt.Sprintf("That was at %s. Reason: %s", moment(r.Glass.At), item(r.Glass.Reason, lineLimit)))
	b.add(cutEscaped(state(r, linked), lineLimit))
	if where != "" {
		b.add(fmt.Sprintf("<%s|Here is the thread>.", where))
	}
	b.add("Was it needed, and did it do what it should? Any member of the team can say so, but neither who asked for it nor who had it run alone.")
	return drawing{
		text:   strings.TrimSpace(fmt.Sprintf("%s Break glass has not been looked at yet: `%s`%s", call, o.Command, target(r))),
		blocks: append(b.blocks(), slack.NewActionBlock("looked", button(request.Reviewed, "I have looked at it", r, ""))),
		call:   call,
	}
}

// drawRestore draws that a member has an approved run restored: as loud as break
// glass, and for the people who wanted the run. effects are those of the restore.
func drawRestore(o ops.Operation, r request.Request, effects, where string) drawing {
	var b sheet
	by := r.Restoring
	if by == nil {
		by = r.Decided
	}
	if by == nil {
		by = &request.Review{}
	}
	about := "`" + o.Command + "`"
	if r.Plan != nil && r.Plan.Target != "" {
		about = item(r.Plan.Target, lineLimit)
	}
	approved := ""
	if approvers := approversOf(r); approvers != "" {
		approved = ", which " + approvers + " approved"
	}
	title := fmt.Sprintf("↩️ %s is restoring %s%s: %s", person(*by), about, approved, item(by.Reason, lineLimit))
	b.add("<!channel> " + title)
	b.add(fmt.Sprintf("<@%s> asked for `%s`.", r.Asker.User, o.Command))
	for line := range strings.SplitSeq(effects, "\n") {
		if line != "" {
			b.add(linked(cut(line, lineLimit)))
		}
	}
	if where != "" {
		b.add(fmt.Sprintf("<%s|Here is the thread>.", where))
	}
	d := drawing{text: "<!channel> " + unstarred(title), blocks: b.blocks()}
	if !b.fits() {
		d.blocks = d.blocks[:1]
		d.file = file{name: r.Operation + "-" + ops.Short(r.ID) + "-restore.txt", title: "What is restored", text: unescape(title) + "\n\n" + effects}
	}
	return d
}

// approversOf names who approved a request, or had it run alone.
func approversOf(r request.Request) string {
	var names []string
	for _, review := range r.Reviews {
		names = append(names, person(review))
	}
	if r.Alone() {
		names = append(names, person(*r.Glass))
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
