package chat

import (
	"context"
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// askPlace begins the places of what stands in a card's thread about one
// request's decisions.
func askPlace(r request.Request) string { return store.AskPlace + r.ID + "/" }

// ask makes or brings up to date who must decide. The buttons of an earlier
// plan go. So do those below a card that is gone: the thread goes on under the new one.
func (c *Chat) ask(ctx context.Context, m request.Message, r request.Request, card store.Post, sent receipt) error {
	if r.Plan == nil {
		return sent("", card)
	}
	place := askPlace(r) + r.Digest()
	places, err := c.store.Places(ctx, r.Card, askPlace(r))
	if err != nil {
		return err
	}
	for name, at := range places {
		if name != place {
			if err := c.retire(ctx, m, at, drawNote("This plan was replaced by a newer one, below.", "")); err != nil {
				return err
			}
		}
	}
	hidden, after, err := c.hidden(ctx, r)
	if err != nil {
		return err
	}
	d := drawAsk(c.operationOf(r), r, len(c.desk.BreakGlass) > 0)
	if hidden && r.State == request.Waiting && r.Lifted == "" {
		d = drawUnshown(c.operationOf(r), r)
	}
	at, posted := places[place]
	if posted && at.Channel == card.Channel && at.TS < after && r.State == request.Waiting {
		if err := c.retire(ctx, m, at, drawNote("Slack takes the plan now. It stands below, and can be decided there.", "")); err != nil {
			return err
		}
		posted = false
		m.Body.Other = after // another message than the one that was retired
	}
	if posted && (at.Channel != card.Channel || at.TS < card.TS) {
		if err := c.retire(ctx, m, at, drawNote("This thread goes on under a new card, further down in the channel.", "")); err != nil {
			return err
		}
		posted = false
		m.Body.Other = card.TS // another message than the one that was retired
	}
	if !posted {
		p, err := c.tell(ctx, m, card, d)
		switch {
		case err != nil:
			return err
		case p.away:
			return sent("", p.Post)
		case p.found:
			p.Post, err = c.amend(ctx, m, p.Post, card, d)
		}
		if err != nil {
			return err
		}
		return sent(place, p.Post)
	}
	at, err = c.amend(ctx, m, at, card, d)
	if err != nil {
		return err
	}
	return sent(place, at)
}

// hidden tells whether the plan of a request, as it is now, couldn't be shown to people.
// Where it could be in the end, after is the ID of that message: what is to be decided
// stands below it.
func (c *Chat) hidden(ctx context.Context, r request.Request) (hidden bool, after string, err error) {
	events, err := c.store.Events(ctx, r.ID)
	for _, e := range events {
		switch {
		case e.Data["digest"] != r.Digest():
		case e.Kind == unshown:
			hidden = true
		case e.Kind == "shown" && hidden:
			hidden = false
			after, _ = e.Data["ts"].(string)
		}
	}
	return hidden, after, err
}

// drawUnshown says that a plan can't be decided, because Slack doesn't take it.
func drawUnshown(o ops.Operation, r request.Request) drawing {
	text := "`" + escape(o.Command) + "`" + target(r) + ": Slack doesn't take the plan, so it can't be approved. I go on trying to show it, until " + moment(r.ExpiresAt) + ". Type `/rootbot requests` to withdraw or reject it."
	return drawing{text: text, blocks: []slack.Block{section(text)}}
}

// decidable leaves out the buttons that nobody may press while the plan is hidden.
func decidable(buttons []slack.BlockElement, hidden bool) []slack.BlockElement {
	return slices.DeleteFunc(buttons, func(element slack.BlockElement) bool {
		b, ok := element.(*slack.ButtonBlockElement)
		return ok && hidden && (b.ActionID == request.Approve || b.ActionID == request.BreakGlass)
	})
}

// offers are the buttons with which people decide about a request as it stands.
// glass: there are people who may have it run alone. Slack allows five in a row.
func offers(o ops.Operation, r request.Request, glass bool) []slack.BlockElement {
	var list []slack.BlockElement
	switch {
	case r.Lifted != "" && !r.State.Ended():
		if o.Again != "" {
			sure := slack.NewConfirmationBlockObject(plain(cut(o.Again, buttonLimit)), plain("The run begins anew, from its first step."), plain("Yes"), plain("Cancel"))
			list = append(list, button(request.QuarantineAgain, o.Again, r, slack.StylePrimary).WithConfirm(sure))
		}
		list = append(list, button(request.End, "End…", r, slack.StyleDefault))
	case r.State == request.Waiting:
		list = append(list, button(request.Approve, "Approve", r, slack.StylePrimary), button(request.Reject, "Reject", r, slack.StyleDanger), button(request.Withdraw, "Withdraw", r, slack.StyleDefault))
		if glass {
			list = append(list, button(request.BreakGlass, "Break glass…", r, slack.StyleDefault))
		}
	}
	if r.Idle() {
		list = append(list, button(request.Withdraw, "Withdraw", r, slack.StyleDefault))
	}
	if restorable(o, r) {
		list = append(list, button(request.Undo, restoreLabel(o, r), r, slack.StyleDanger))
	}
	return list
}

// restorable tells whether people can have restored what a request did. A step may
// offer it before its first change is recorded.
func restorable(o ops.Operation, r request.Request) bool {
	return o.Undo != "" && (r.Acted() || r.State == request.Running && !r.UndoUntil.IsZero())
}

func restoreLabel(o ops.Operation, r request.Request) string {
	if r.Restoring != nil {
		return cut(o.UndoLabel, buttonLimit-len(" again")) + " again"
	}
	return o.UndoLabel
}

// drawAsk draws who must decide, with the buttons for that; and a decision,
// without them.
func drawAsk(o ops.Operation, r request.Request, glass bool) drawing {
	var b sheet
	about := "`" + escape(o.Command) + "`" + target(r)
	text := unstarred(about + ": " + state(r, escape))
	switch {
	case r.State == request.Waiting && r.Lifted == "":
		b.add("*Approve?* " + about)
		if r.Why != "" {
			b.add(linked(cut(ops.Visible(r.Why), sectionLimit/2)))
		}
		b.add(fmt.Sprintf("%s needed: anybody in the team but <@%s>, until %s.", approvals(r.Missing()), r.Asker.User, moment(r.ExpiresAt)))
		text = "Approve? " + about
	case r.Lifted != "" && !r.State.Ended():
		b.add("*Decide* " + about)
		b.add(state(r, linked))
		text = "Decide: " + about
	default:
		b.add(about + ": " + state(r, linked))
	}
	if held := heldUp(r); held != "" {
		b.add(held)
	}
	for _, decision := range decisions(r) {
		b.add(decision)
	}
	if restorable(o, r) {
		b.add(restoring(o, r))
	}
	d := drawing{text: text, blocks: b.blocks()}
	if buttons := offers(o, r, glass); len(buttons) > 0 {
		d.blocks = append(d.blocks, slack.NewActionBlock("decide", buttons...))
	}
	return d
}

// restoring says what can be restored, and until when.
func restoring(o ops.Operation, r request.Request) string {
	label := "*" + escape(restoreLabel(o, r)) + "*"
	about, since, before := "Everything", "", ""
	if r.Plan != nil && r.Plan.Target != "" {
		about = item(r.Plan.Target, lineLimit)
	}
	if !r.ActedAt.IsZero() {
		since, before = " since "+moment(r.ActedAt), " to what it was before "+moment(r.ActedAt)
	}
	switch {
	case r.Restoring != nil:
		return "Restoring it has stopped half-way. Press " + label + " until everything is as before."
	case r.State == request.Running && !r.UndoUntil.IsZero():
		mistake := "A mistake?"
		if o.Subject != nil {
			mistake = "Wrong person?"
		}
		return fmt.Sprintf("%s has been locked out%s. %s Press %s by %s and everything is as before.", about, since, mistake, label, moment(r.UndoUntil))
	}
	return fmt.Sprintf("%s can still be restored%s: press %s. That ends when something is deleted or closed for good.", about, before, label)
}

// tellAnew has the plan and the decision of a card's requests told once more,
// because its thread begins anew.
func (c *Chat) tellAnew(ctx context.Context, all []request.Request) error {
	var change request.Change
	for _, r := range all {
		places, err := c.store.Places(ctx, r.Card, askPlace(r))
		if err != nil {
			return err
		}
		if len(places) == 0 && r.State != request.Waiting {
			continue
		}
		kinds := []string{request.Plan, request.Ask}
		if r.State != request.Waiting {
			kinds = []string{request.Ask}
		}
		for _, kind := range kinds {
			change.Messages = append(change.Messages, request.Message{Thread: r.Card, Request: r.ID, Kind: kind})
		}
	}
	if len(change.Messages) == 0 {
		return nil
	}
	return c.store.Tell(ctx, change)
}
