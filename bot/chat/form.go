package chat

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
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

// asking is what the form of an operation carries with it, out of people's reach.
type asking struct {
	Channel string `json:"channel"`         // where it is asked
	Again   string `json:"again,omitempty"` // the request that it asks for once more
}

// String is how a form carries it: a form that asks for nothing again carries the
// channel alone.
func (a asking) String() string {
	if a.Again == "" {
		return a.Channel
	}
	text, _ := json.Marshal(a)
	return string(text)
}

func readAsking(carried string) asking {
	var a asking
	if json.Unmarshal([]byte(carried), &a) != nil || a.Again == "" {
		return asking{Channel: carried}
	}
	return a
}

// openForm opens the form of an operation, with the words typed in its list.
// It doesn't hold up the ack: Slack waits 3 s for the form as well.
func (c *Chat) openForm(ctx context.Context, o ops.Operation, who request.Asker, typed slack.SlashCommand, from string, words []string) {
	given := ops.Inputs{}
	if i := slices.IndexFunc(o.Form, func(f ops.Field) bool { return f.List }); i >= 0 {
		given[o.Form[i].Name] = o.Form[i].Values(words)
	}
	c.openFor(ctx, opening{
		who: who, trigger: typed.TriggerID, answer: typed.ResponseURL, origin: from, tried: o.Command, operation: o.Name,
		view: operationForm(o, asking{Channel: typed.ChannelID}, given),
		may:  func(ctx context.Context) (string, error) { return c.mayAsk(ctx, o.Name, who) },
	})
}

// operationForm is the form of an operation, with the values that are given already.
// Statements, and names to be typed, are never given.
func operationForm(o ops.Operation, a asking, given ops.Inputs) slack.ModalViewRequest {
	view := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: askForm + o.Name, PrivateMetadata: a.String(),
		Title: plain(cut(o.Title(), titleLimit)), Submit: plain("Ask"), Close: plain("Cancel"),
	}
	for _, f := range o.Form {
		values := given[f.Name]
		if len(f.Agree) > 0 || f.Retype {
			values = nil
		}
		view.Blocks.BlockSet = append(view.Blocks.BlockSet, input(f, values))
	}
	return view
}

func plain(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// input is the form field of a field, with the values that are given.
func input(f ops.Field, given []string) slack.Block {
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
		if len(given) > 0 && given[0] != "" {
			choice.InitialOption = slack.NewOptionBlockObject(cut(given[0], valueLimit), plain(cut(given[0], optionLimit)), nil)
		}
		element = choice
	default:
		text := slack.NewPlainTextInputBlockElement(nil, f.Name)
		text.Multiline = f.List || f.Long
		text.InitialValue = cut(strings.Join(given, "\n"), ops.Longest)
		element = text
	}
	block := slack.NewInputBlock(f.Name, plain(f.Label), nil, element)
	if f.Hint != "" {
		block.Hint = plain(f.Hint)
	}
	block.Optional = f.Optional
	return block
}

// How long it may take to find out whether a person may, before a form opens for
// them, and to open it: Slack waits 3 s for the form.
const (
	mayWithin  = time.Second
	openWithin = ackWithin
)

// opening is a form that is to open for a person.
type opening struct {
	who             request.Asker
	trigger, answer string // where Slack opens forms, and where it is answered instead
	origin          string // tells it from everything else that people do
	request, tried  string // what the person does, and with which request
	operation       string // that the person asks for; empty: a decision
	view            slack.ModalViewRequest

	may func(context.Context) (login string, err error) // whether they may
}

// verdict is who somebody is, and why they may not.
type verdict struct {
	login string
	err   error
}

// openFor opens a form for a person who may fill it in. Who may not is told so at
// once, and why. Where that can't be told in time, the form opens: the desk judges
// every form that is sent. A form that is asked for twice opens once.
func (c *Chat) openFor(ctx context.Context, f opening) {
	if no := c.overdone(ctx, f.operation, f.tried, f.who); no != nil {
		c.later(ctx, answering{f.answer, f.who.Channel, f.who.User}, func(context.Context) string { return refusal(no) })
		return
	}
	found := make(chan verdict, 1)
	asking, asked := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(c.mayWithin.Load()))
	c.delivering.Go(func() {
		defer asked()
		// One question answers for all forms that a person asks for at once.
		v, err, _ := c.opening.Do(personKey(f.who)+" "+f.tried+" "+f.request, func() (any, error) {
			login, err := f.may(asking)
			return login, err
		})
		login, _ := v.(string)
		found <- verdict{login, err}
	})
	if c.again(ctx, f.who, f.tried, f.origin) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	c.delivering.Go(func() {
		if v := <-found; v.err != nil && ops.KindOf(v.err) == ops.Refused {
			c.later(ctx, answering{f.answer, f.who.Channel, f.who.User}, func(ctx context.Context) string {
				return c.refused(ctx, f.who, v.login, f.request, f.tried, v.err, ops.ChangedNothing)
			})
			return
		}
		limited, cancel := context.WithTimeout(ctx, time.Duration(c.openWithin.Load()))
		defer cancel()
		if _, err := patiently(limited, func() (*slack.ViewResponse, error) { return c.api.OpenViewContext(limited, f.trigger, f.view) }); err != nil {
			c.log.Error("open a form", "form", f.view.CallbackID, "error", err)
			c.later(ctx, answering{f.answer, f.who.Channel, f.who.User}, func(context.Context) string { return unopened(err) })
		}
	})
}

// unopened says why a form didn't open.
func unopened(err error) string {
	if wait := waits(err, "open a form"); wait != nil {
		return escape(ops.WordsChanged(wait, "", ops.ChangedNothing))
	}
	return noForm
}

// mayAsk tells which login a person has, and returns nil if they may ask for an
// operation. A yes may be 30 seconds old, a no is fresh.
func (c *Chat) mayAsk(ctx context.Context, operation string, who request.Asker) (string, error) {
	login, err := c.desk.Shows(ctx, operation, who)
	if err != nil && ops.KindOf(err) == ops.Refused {
		return c.desk.MayAsk(ctx, operation, who)
	}
	return login, err
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
	carried, values := readAsking(sent.View.PrivateMetadata), ops.Inputs{}
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
		c.turnAway(ctx, c.presser(sent, carried.Channel), o.Command, reasons(wrong))
		return slack.NewErrorsViewSubmissionResponse(wrong)
	}
	channel := carried.Channel
	if place := c.places[o.Name]; place != "" {
		channel = place
	}
	if carried.Again != "" {
		if no := c.notAgain(ctx, o, carried.Again); no != "" {
			c.turnAway(ctx, c.presser(sent, channel), o.Command, no)
			return slack.NewErrorsViewSubmissionResponse(map[string]string{o.Form[0].Name: cut(no, 150)})
		}
	}
	_, err := c.request(ctx, bot.Asking{
		Operation: o.Name, Inputs: inputs, Again: carried.Again, Asker: c.presser(sent, channel), Origin: origin(sent.TriggerID, sent.User.ID, sent.View.ID, sent.View.Hash),
	})
	switch {
	case errors.Is(err, store.ErrTaken):
		c.turnAway(ctx, c.presser(sent, channel), o.Command, twice)
	case err != nil:
		return slack.NewErrorsViewSubmissionResponse(map[string]string{o.Form[0].Name: cut(refusal(err), 150)})
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
	return slack.NewErrorsViewSubmissionResponse(map[string]string{block: unable("This form isn't one of mine.", "")})
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
