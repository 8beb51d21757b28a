package chat

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// The button that asks for the same thing again.
const actionRetry = "retry"

// verbs are the buttons that there are.
var verbs = []string{actionRetry, request.Approve, request.Reject, request.Withdraw, request.Undo, request.BreakGlass, request.Reviewed, request.QuarantineAgain, request.End}

// interaction takes clicks and forms. It returns the ack's payload.
func (c *Chat) interaction(ctx context.Context, did slack.InteractionCallback) any {
	switch did.Type {
	case slack.InteractionTypeViewSubmission:
		return c.submit(ctx, did)
	case slack.InteractionTypeBlockSuggestion:
		return c.suggest(ctx, did)
	case slack.InteractionTypeBlockActions:
		c.heard(did.Channel.ID, did.Channel.Name)
		for _, action := range did.ActionCallback.BlockActions {
			switch {
			case slices.Contains(verbs, action.ActionID):
				c.click(ctx, did, action)
			case slices.Contains(linkVerbs, action.ActionID):
				c.clickLink(ctx, did, action)
			default:
				c.noSuch(ctx, did, "button "+cut(action.ActionID, 100), action)
			}
		}
		if len(did.ActionCallback.BlockActions) > 0 {
			return nil
		}
	}
	c.noSuch(ctx, did, string(did.Type), &slack.BlockAction{})
	return nil
}

// noSuch turns away a click on what the bot doesn't have.
func (c *Chat) noSuch(ctx context.Context, did slack.InteractionCallback, tried string, action *slack.BlockAction) {
	who := c.presser(did, did.Channel.ID)
	if c.again(ctx, who, tried, origin(did.TriggerID, did.User.ID, action.ActionID, action.Value, action.ActionTs)) {
		return
	}
	c.turnAway(ctx, who, tried, "There is no such button.")
	if did.ResponseURL != "" {
		c.later(ctx, answerTo(did), func(context.Context) string { return unable("I don't know that button.", "") })
	}
}

// click takes a button. Whatever becomes of it, the person who pressed is answered.
func (c *Chat) click(ctx context.Context, did slack.InteractionCallback, action *slack.BlockAction) {
	no := func(text string) { c.later(ctx, answerTo(did), func(context.Context) string { return text }) }
	verb, value := action.ActionID, action.Value
	id, digest, _ := strings.Cut(value, ":")
	from := origin(did.TriggerID, did.User.ID, verb, value, action.ActionTs)
	who := c.presser(did, did.Channel.ID)
	r, err := c.store.Request(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if c.again(ctx, who, "button "+verb, from) {
			return
		}
		c.turnAway(ctx, who, "button "+verb, "There is no request "+cut(id, 100)+".")
		no(unable("I don't know the request that this button belongs to.", ""))
		return
	case err != nil:
		c.log.Error("read the request of a click", "error", err)
		no(noReading)
		return
	}
	o, _ := c.desk.Operation(r.Operation)
	switch {
	case verb == actionRetry:
		c.retry(ctx, did, who, r, digest, from, no)
	case asksWhy(verb, o, r, who):
		c.openFor(ctx, opening{
			who: who, trigger: did.TriggerID, answer: did.ResponseURL, origin: from, request: r.ID, tried: verb,
			view: reasonForm(verb, value, did.Channel.ID, r, o, c.channelName),
			may:  func(ctx context.Context) (string, error) { return c.mayDecide(ctx, verb, r, who) },
		})
	default:
		if err := c.decide(ctx, request.Click{Request: r.ID, Verb: verb, Asker: who, Digest: digest, Origin: from}, did.ResponseURL); err != nil {
			no(refusal(err))
		}
	}
}

// decide stores a decision.
func (c *Chat) decide(ctx context.Context, click request.Click, answer string) error {
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	if click.Verb != request.Withdraw { // a requester may always withdraw
		if no := c.turnsAway(stored, "", click.Verb, click.Asker); no != nil {
			return no
		}
	}
	click.Reply = c.sealed(click.Asker, answer)
	err := c.desk.Click(stored, &click)
	if errors.Is(err, store.ErrTaken) {
		c.turnAway(ctx, click.Asker, click.Verb, twice)
		return nil
	}
	if err != nil {
		c.log.Error("store a click", "request", click.Request, "error", err)
		fated(ctx, "unstored")
		if click.Origin != "" {
			c.delivering.Go(func() { c.desk.VoidClick(context.WithoutCancel(ctx), click) })
		}
		return err
	}
	return nil
}

// asksWhy tells whether a button opens a form: a decision that needs a reason, or a
// name typed in full.
func asksWhy(verb string, o ops.Operation, r request.Request, who request.Asker) bool {
	switch verb {
	case request.Reject, request.BreakGlass:
		return r.State == request.Waiting && r.Lifted == ""
	case request.Approve:
		return r.State == request.Waiting && r.Lifted == "" && o.Dangerous
	case request.Withdraw:
		return (slices.Contains([]request.State{request.Asked, request.Planning, request.Waiting}, r.State) || r.Idle()) && !asked(who, r)
	case request.Undo:
		return restorable(o, r)
	case request.End:
		return r.Lifted != "" && !r.State.Ended()
	case request.Reviewed:
		return r.Glass != nil && r.Looked == nil
	}
	return false
}

// asked tells whether a person is the one who made a request.
func asked(who request.Asker, r request.Request) bool {
	return who.User != "" && who.User == r.Asker.User && who.Workspace == r.Asker.Workspace
}

// mayDecide tells which login a person has, and returns nil if they may decide about
// a request, as far as that can be told before they have written why.
func (c *Chat) mayDecide(ctx context.Context, verb string, r request.Request, who request.Asker) (string, error) {
	login, err := c.desk.Shows(ctx, "", who)
	if err != nil && ops.KindOf(err) == ops.Refused {
		login, err = c.desk.Member(ctx, who) // as of now
	}
	switch {
	case err != nil:
	case verb == request.Approve && (asked(who, r) || strings.EqualFold(login, r.By)):
		return login, &ops.Error{Kind: ops.Refused, What: "You asked for this, so " + c.others(ctx, login) + " must approve."}
	case verb == request.BreakGlass && !slices.ContainsFunc(c.desk.BreakGlass, func(named string) bool { return strings.EqualFold(named, login) }):
		named := "nobody"
		if len(c.desk.BreakGlass) > 0 {
			named = strings.Join(c.desk.BreakGlass, ", ")
		}
		return login, &ops.Error{Kind: ops.Refused, What: "Only those whom the bot's settings name under break_glass may have something run alone: " + named + "."}
	}
	if err == nil {
		err = c.desk.Fresh(ctx, r, verb, who, login)
	}
	return login, err
}

// others names the members of the team but one.
func (c *Chat) others(ctx context.Context, login string) string {
	members, err := c.desk.Members(ctx)
	if err != nil {
		c.log.Info("name the members of the team", "error", err)
	}
	var names []string
	for _, member := range members {
		if !strings.EqualFold(member, login) {
			names = append(names, member)
		}
	}
	slices.Sort(names)
	const few = 8
	if len(names) == 0 || len(names) > few {
		return "another member of the team " + c.desk.Team.Name()
	}
	last := names[len(names)-1]
	if len(names) == 1 {
		return last
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + last
}

// retry asks for the same as a request did, in the name of the person who clicked.
func (c *Chat) retry(ctx context.Context, did slack.InteractionCallback, who request.Asker, before request.Request, digest, from string, no func(string)) {
	why := c.notRetryable(ctx, before)
	if digest != before.Digest() {
		why = "This button doesn't apply any more."
	}
	if why != "" {
		// What came before may be this very click, which arrives once more.
		if taken, err := c.store.Taken(ctx, from); err == nil && taken {
			c.turnAway(ctx, who, actionRetry, twice)
			return
		}
		c.turnAway(ctx, who, "button "+actionRetry, why)
		no(unable(why, ""))
		return
	}
	if o, _ := c.desk.Operation(before.Operation); o.Asks() {
		// What a person must state isn't copied from another person.
		c.openFor(ctx, opening{
			who: who, trigger: did.TriggerID, answer: did.ResponseURL, origin: from, request: before.ID, tried: actionRetry, operation: o.Name,
			view: operationForm(o, asking{Channel: did.Channel.ID, Again: before.ID}, before.Inputs),
			may:  func(ctx context.Context) (string, error) { return c.mayAsk(ctx, o.Name, who) },
		})
		return
	}
	_, err := c.request(ctx, bot.Asking{Again: before.ID, Asker: who, Origin: from, Reply: c.sealed(who, did.ResponseURL)})
	switch {
	case errors.Is(err, store.ErrTaken):
		c.turnAway(ctx, who, actionRetry, twice)
		return
	case err != nil:
		no(refusal(err))
	}
}

// notRetryable says why a request can't be asked for once more, as mrkdwn; empty:
// it can.
func (c *Chat) notRetryable(ctx context.Context, before request.Request) string {
	if !retryable(before) {
		return "This button doesn't apply any more."
	}
	newer, err := c.newer(ctx, before)
	if err != nil {
		c.log.Error("look for a newer request", "request", before.ID, "error", err)
	}
	return newer
}

// notAgain says why the form of an operation can't ask for a request once more, in
// plain text; empty: it can.
func (c *Chat) notAgain(ctx context.Context, o ops.Operation, id string) string {
	reading, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	before, err := c.store.Request(reading, id)
	switch {
	case err != nil:
		c.log.Error("read the request to run again", "request", cut(id, 100), "error", err)
		return noReading
	case before.Operation != o.Name || !retryable(before):
		return "It can't be asked for again any more."
	}
	newer, err := c.newer(reading, before)
	if err != nil {
		c.log.Error("look for a newer request", "request", before.ID, "error", err)
	}
	if newer != "" {
		newer = unescape(everybody.Replace(newer))
	}
	return newer
}
