package chat

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// Beginnings of callback IDs: of the form that asks for an operation, and of
// the one in which somebody gives the reason for a decision.
const (
	askForm    = "ask:"
	decideForm = "decide:"
)

// titleLimit is Slack's for a form's title.
// https://docs.slack.dev/reference/views/modal-views
const titleLimit = 24

// openForm opens the form of an operation, with the words typed in its list.
// It doesn't hold up the ack: Slack waits 3 s for the form as well.
func (c *Chat) openForm(ctx context.Context, o ops.Operation, typed slack.SlashCommand, words []string) {
	view := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: askForm + o.Name, PrivateMetadata: typed.ChannelID,
		Title: plain(cut(o.Title(), titleLimit)), Submit: plain("Ask"), Close: plain("Cancel"),
	}
	for _, f := range o.Form {
		view.Blocks.BlockSet = append(view.Blocks.BlockSet, input(f, words))
		if f.List {
			words = nil
		}
	}
	c.open(ctx, typed.TriggerID, typed.ResponseURL, view)
}

func plain(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// input is the form field of a field.
func input(f ops.Field, words []string) slack.Block {
	var element slack.BlockElement
	switch {
	case len(f.Agree) > 0:
		var options []*slack.OptionBlockObject
		for i, statement := range f.Agree {
			options = append(options, slack.NewOptionBlockObject(ops.Agreed(i), plain(cut(statement, optionLimit)), nil))
		}
		element = slack.NewCheckboxGroupsBlockElement(f.Name, options...)
	case f.Search != nil:
		choice := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, plain("Type to search"), f.Name)
		choice.MinQueryLength = new(int) // show something at once
		element = choice
	default:
		text := slack.NewPlainTextInputBlockElement(nil, f.Name)
		text.Multiline = f.List || f.Long
		if f.List {
			text.InitialValue = cut(strings.Join(words, "\n"), 3000)
		}
		element = text
	}
	block := slack.NewInputBlock(f.Name, plain(f.Label), nil, element)
	if f.Hint != "" {
		block.Hint = plain(f.Hint)
	}
	block.Optional = f.Optional
	return block
}

// open opens a form, and tells whoever pressed or typed if Slack doesn't.
func (c *Chat) open(ctx context.Context, trigger, answer string, view slack.ModalViewRequest) {
	ctx = context.WithoutCancel(ctx)
	c.delivering.Go(func() {
		limited, cancel := context.WithTimeout(ctx, ackWithin)
		defer cancel()
		if _, err := c.api.OpenViewContext(limited, trigger, view); err != nil {
			c.log.Error("open a form", "form", view.CallbackID, "error", err)
			c.later(ctx, answer, func(context.Context) string { return noForm })
		}
	})
}

// submit takes a form. It returns the ack's payload: what is wrong, by field,
// or nil when it was stored.
func (c *Chat) submit(ctx context.Context, sent slack.InteractionCallback) any {
	if verb, ok := strings.CutPrefix(sent.View.CallbackID, decideForm); ok {
		return c.submitDecision(ctx, sent, verb)
	}
	o, ok := c.desk.Operation(strings.TrimPrefix(sent.View.CallbackID, askForm))
	if !ok {
		return c.notMine(ctx, sent, "", "form "+cut(sent.View.CallbackID, 100))
	}
	values := ops.Inputs{}
	for block, actions := range typed(sent) {
		for _, action := range actions {
			switch i := slices.IndexFunc(o.Form, func(f ops.Field) bool { return f.Name == block }); {
			case len(action.SelectedOptions) > 0:
				for _, option := range action.SelectedOptions {
					values[block] = append(values[block], option.Value)
				}
			case action.SelectedOption.Value != "":
				values[block] = append(values[block], action.SelectedOption.Value)
			case i >= 0 && o.Form[i].List:
				values[block] = append(values[block], strings.FieldsFunc(action.Value, separates)...)
			default:
				values[block] = append(values[block], action.Value)
			}
		}
	}
	inputs, wrong := o.Fill(values)
	if len(wrong) > 0 {
		wrong = cutAll(wrong)
		c.turnAway(ctx, c.presser(sent, sent.View.PrivateMetadata), o.Command, reasons(wrong))
		return slack.NewErrorsViewSubmissionResponse(wrong)
	}
	channel := sent.View.PrivateMetadata
	if place := c.places[o.Name]; place != "" {
		channel = place
	}
	_, err := c.request(ctx, bot.Asking{
		Operation: o.Name, Inputs: inputs, Asker: c.presser(sent, channel), Origin: origin(sent.TriggerID, sent.User.ID, sent.View.ID, sent.View.Hash),
	})
	switch {
	case errors.Is(err, store.ErrTaken):
		c.turnAway(ctx, c.presser(sent, channel), o.Command, twice)
	case err != nil:
		return slack.NewErrorsViewSubmissionResponse(map[string]string{o.Form[0].Name: noDatabase})
	}
	return nil
}

// notMine turns away a form that the bot didn't make. Slack shows what is wrong
// under a field that is there.
func (c *Chat) notMine(ctx context.Context, sent slack.InteractionCallback, channel, tried string) any {
	c.turnAway(ctx, c.presser(sent, channel), tried, "It came from a form that the bot didn't make.")
	block := reasonBlock
	if there := slices.Sorted(maps.Keys(typed(sent))); len(there) > 0 {
		block = cut(there[0], 100)
	}
	return slack.NewErrorsViewSubmissionResponse(map[string]string{block: "This form isn't one of mine. Nothing was done."})
}

// reasons says what is wrong with a form, without what was typed.
func reasons(wrong map[string]string) string {
	return "The form was wrong at: " + strings.Join(slices.Sorted(maps.Keys(wrong)), ", ") + "."
}

// cutAll shortens messages to what a form shows, and to few of them: Slack drops
// an ack of 20 kB, and somebody else's form may have any fields.
func cutAll(wrong map[string]string) map[string]string {
	short := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(wrong))[:min(len(wrong), 10)] {
		short[cut(name, 100)] = cut(wrong[name], 150)
	}
	return short
}

// The button that asks for the same thing again.
const actionRetry = "retry"

// verbs are the buttons that there are.
var verbs = []string{actionRetry, bot.Approve, bot.Reject, bot.Withdraw, bot.Undo, bot.BreakGlass, bot.Reviewed}

// interaction takes clicks and forms. It returns the ack's payload.
func (c *Chat) interaction(ctx context.Context, did slack.InteractionCallback) any {
	switch did.Type {
	case slack.InteractionTypeViewSubmission:
		return c.submit(ctx, did)
	case slack.InteractionTypeBlockSuggestion:
		return c.suggest(ctx, did)
	case slack.InteractionTypeBlockActions:
		for _, action := range did.ActionCallback.BlockActions {
			if slices.Contains(verbs, action.ActionID) {
				c.click(ctx, did, action)
			} else {
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
		c.later(ctx, did.ResponseURL, func(context.Context) string { return "I don't know that button. Nothing was done." })
	}
}

// click takes a button. Whatever becomes of it, whoever pressed is answered.
func (c *Chat) click(ctx context.Context, did slack.InteractionCallback, action *slack.BlockAction) {
	no := func(text string) { c.later(ctx, did.ResponseURL, func(context.Context) string { return text }) }
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
		no("I don't know the request that this button belongs to. Nothing was done.")
		return
	case err != nil:
		c.log.Error("read the request of a click", "error", err)
		no("The bot can't read its database, so nothing was done. Try again in a minute.")
		return
	}
	o, _ := c.desk.Operation(r.Operation)
	switch {
	case verb == actionRetry:
		c.retry(ctx, did, who, r, digest, from, no)
	case slices.Contains([]string{bot.Reject, bot.BreakGlass}, verb) && r.State == store.Waiting, verb == bot.Undo && r.State == store.Running,
		verb == bot.Approve && o.Dangerous && r.State == store.Waiting, verb == bot.Reviewed && r.Glass != nil && r.Looked == nil:
		if !c.again(ctx, who, verb, from) {
			c.open(ctx, did.TriggerID, did.ResponseURL, reasonForm(verb, value, did.Channel.ID, r, o, c.desk.Team.Channel))
		}
	default:
		if err := c.decide(ctx, store.Click{Request: r.ID, Verb: verb, Asker: who, Digest: digest, Origin: from}, did.ResponseURL); err != nil {
			no(noDatabase)
		}
	}
}

// decide stores what somebody decided.
func (c *Chat) decide(ctx context.Context, click store.Click, answer string) error {
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
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
	c.replies.keep(bot.Thread(click.ID), answer)
	return nil
}

// retry asks once more for what a request asked for, in the name of whoever clicked.
func (c *Chat) retry(ctx context.Context, did slack.InteractionCallback, who store.Asker, before store.Request, digest, from string, no func(string)) {
	if digest != before.Digest() || !retryable(before) {
		c.turnAway(ctx, who, "button "+actionRetry, "It doesn't apply any more.")
		no("This button doesn't apply any more. Nothing was done; type the command again.")
		return
	}
	r, err := c.request(ctx, bot.Asking{Again: before.ID, Asker: who, Origin: from})
	switch {
	case errors.Is(err, store.ErrTaken):
		c.turnAway(ctx, who, actionRetry, twice)
		return
	case err != nil:
		no(refusal(err))
		return
	}
	c.replies.keep(r.ID, did.ResponseURL)
}

// retryable tells whether a request may be asked for once more.
func retryable(r store.Request) bool {
	return r.State == store.Failed || r.State == store.Unknown
}
