package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// yes is the value of a ticked statement.
const yes = "yes"

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
	if f.Confirm {
		option := slack.NewOptionBlockObject(yes, plain(cut(cmp.Or(f.Hint, f.Label), 75)), nil)
		element = slack.NewCheckboxGroupsBlockElement(f.Name, option)
	} else {
		text := slack.NewPlainTextInputBlockElement(nil, f.Name)
		text.Multiline = f.List || f.Long
		if f.List {
			text.InitialValue = cut(strings.Join(words, "\n"), 3000)
		}
		element = text
	}
	block := slack.NewInputBlock(f.Name, plain(f.Label), nil, element)
	if f.Hint != "" && !f.Confirm {
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
		return nil
	}
	values := ops.Inputs{}
	for block, actions := range sent.View.State.Values {
		for _, action := range actions {
			switch i := slices.IndexFunc(o.Form, func(f ops.Field) bool { return f.Name == block }); {
			case len(action.SelectedOptions) > 0:
				for _, option := range action.SelectedOptions {
					values[block] = append(values[block], option.Value)
				}
			case i >= 0 && o.Form[i].List:
				values[block] = append(values[block], strings.FieldsFunc(action.Value, separates)...)
			default:
				values[block] = append(values[block], action.Value)
			}
		}
	}
	inputs, wrong := o.Fill(values)
	if len(wrong) > 0 {
		return slack.NewErrorsViewSubmissionResponse(cutAll(wrong))
	}
	channel := sent.View.PrivateMetadata
	if place := c.places[o.Name]; place != "" {
		channel = place
	}
	if _, err := c.request(ctx, bot.Asking{Operation: o.Name, Inputs: inputs, Asker: c.presser(sent, channel)}); err != nil {
		return slack.NewErrorsViewSubmissionResponse(map[string]string{o.Form[0].Name: noDatabase})
	}
	return nil
}

// cutAll shortens messages to what a form shows.
func cutAll(wrong map[string]string) map[string]string {
	for _, name := range slices.Collect(maps.Keys(wrong)) {
		wrong[name] = cut(wrong[name], 150)
	}
	return wrong
}

// The button that asks for the same thing again.
const actionRetry = "retry"

// interaction takes clicks and forms. It returns the ack's payload.
func (c *Chat) interaction(ctx context.Context, did slack.InteractionCallback) any {
	switch did.Type {
	case slack.InteractionTypeViewSubmission:
		return c.submit(ctx, did)
	case slack.InteractionTypeBlockActions:
		for _, action := range did.ActionCallback.BlockActions {
			if slices.Contains([]string{actionRetry, bot.Approve, bot.Reject, bot.Withdraw, bot.Undo}, action.ActionID) {
				c.click(ctx, did, action.ActionID, action.Value)
			}
		}
	}
	return nil
}

// click takes a button. Whatever becomes of it, whoever pressed is answered.
func (c *Chat) click(ctx context.Context, did slack.InteractionCallback, verb, value string) {
	no := func(text string) { c.later(ctx, did.ResponseURL, func(context.Context) string { return text }) }
	id, digest, _ := strings.Cut(value, ":")
	r, err := c.store.Request(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		no("I don't know the request that this button belongs to. Nothing was done.")
		return
	case err != nil:
		c.log.Error("read the request of a click", "error", err)
		no("The bot can't read its database, so nothing was done. Try again in a minute.")
		return
	}
	who := c.presser(did, did.Channel.ID)
	o, _ := c.desk.Operation(r.Operation)
	switch {
	case verb == actionRetry:
		c.retry(ctx, did, who, r, digest, no)
	case verb == bot.Reject && r.State == store.Waiting, verb == bot.Undo && r.State == store.Running, verb == bot.Approve && o.Dangerous && r.State == store.Waiting:
		c.open(ctx, did.TriggerID, did.ResponseURL, reasonForm(verb, value, did.Channel.ID, r, o))
	default:
		if err := c.decide(ctx, store.Click{Request: r.ID, Verb: verb, Asker: who, Digest: digest}, did.ResponseURL); err != nil {
			no(noDatabase)
		}
	}
}

// decide stores what somebody decided.
func (c *Chat) decide(ctx context.Context, click store.Click, answer string) error {
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	if err := c.desk.Click(stored, &click); err != nil {
		c.log.Error("store a click", "request", click.Request, "error", err)
		return err
	}
	c.replies.keep(bot.Thread(click.ID), answer)
	return nil
}

// retry asks once more for what a request asked for, in the name of whoever clicked.
func (c *Chat) retry(ctx context.Context, did slack.InteractionCallback, who store.Asker, before store.Request, digest string, no func(string)) {
	if digest != before.Digest() || !retryable(before) {
		no("This button doesn't apply any more. Nothing was done; type the command again.")
		return
	}
	r, err := c.request(ctx, bot.Asking{Again: before.ID, Asker: who})
	if err != nil {
		no(refusal(err))
		return
	}
	c.replies.keep(r.ID, did.ResponseURL)
}

// decision is what a form of a decision carries with it, out of people's reach.
type decision struct {
	Value   string `json:"value"` // of the button: request and digest
	Channel string `json:"channel"`
}

// reasonForm asks for what a decision must come with.
func reasonForm(verb, value, channel string, r store.Request, o ops.Operation) slack.ModalViewRequest {
	kept, _ := json.Marshal(decision{Value: value, Channel: channel})
	view := slack.ModalViewRequest{Type: slack.VTModal, CallbackID: decideForm + verb, PrivateMetadata: string(kept), Close: plain("Cancel")}
	target := r.Plan.Target
	if target == "" {
		target = o.Command
	}
	field := slack.NewPlainTextInputBlockElement(nil, "reason")
	block := slack.NewInputBlock("reason", plain("Reason"), nil, field)
	switch verb {
	case bot.Reject:
		view.Title, view.Submit = plain("Reject"), plain("Reject")
		block.Hint = plain("Everybody in the thread can read it.")
	case bot.Undo:
		view.Title, view.Submit = plain(cut(o.UndoLabel, titleLimit)), plain(cut(o.UndoLabel, titleLimit))
		block.Hint = plain("Everybody in the thread can read it.")
	default:
		view.Title, view.Submit = plain("Approve"), plain("Approve")
		block = slack.NewInputBlock("name", plain("Type the name to approve"), nil, slack.NewPlainTextInputBlockElement(nil, "name"))
		block.Hint = plain(cut("Exactly: "+target, 150))
	}
	view.Blocks.BlockSet = []slack.Block{section(fmt.Sprintf("`%s` — %s", o.Command, escape(cut(target, 200)))), block}
	return view
}

// submitDecision takes the form of a decision.
func (c *Chat) submitDecision(ctx context.Context, sent slack.InteractionCallback, verb string) any {
	var kept decision
	block := "reason"
	if verb == bot.Approve {
		block = "name"
	}
	text := ""
	for _, action := range sent.View.State.Values[block] {
		text = action.Value
	}
	if verb != bot.Approve {
		text = oneLine(text)
	}
	if err := json.Unmarshal([]byte(sent.View.PrivateMetadata), &kept); err != nil || text == "" {
		return slack.NewErrorsViewSubmissionResponse(map[string]string{block: "Please fill this in."})
	}
	id, digest, _ := strings.Cut(kept.Value, ":")
	err := c.decide(ctx, store.Click{
		Request: id, Verb: verb, Asker: c.presser(sent, kept.Channel), Digest: digest, Text: text,
	}, "")
	if err != nil {
		return slack.NewErrorsViewSubmissionResponse(map[string]string{block: noDatabase})
	}
	return nil
}

// retryable tells whether a request may be asked for once more.
func retryable(r store.Request) bool {
	return r.State == store.Failed || r.State == store.Unknown
}
