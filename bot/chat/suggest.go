package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/ops"
)

const (
	valueLimit  = 150 // characters of an option's value
	optionLimit = 75  // characters of an option: https://docs.slack.dev/reference/block-kit/composition-objects/option-object
	optionsMost = 100 // https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element
)

// suggest answers somebody who types in a field that is searched. It returns the
// ack's payload: what there is to choose. What there is, is for the team's eyes,
// or for those who may ask; others find nothing.
// https://docs.slack.dev/reference/interaction-payloads/block_suggestion-payload
func (c *Chat) suggest(ctx context.Context, did slack.InteractionCallback) any {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	none := func(words string) any { return choices([]ops.Option{{Text: words}}) }
	o, _ := c.desk.Operation(strings.TrimPrefix(did.View.CallbackID, askForm))
	i := slices.IndexFunc(o.Form, func(f ops.Field) bool { return f.Name == did.BlockID && f.Search != nil })
	if i < 0 {
		return choices(nil)
	}
	login, err := c.desk.Shows(ctx, o.Name, c.presser(did, readAsking(did.View.PrivateMetadata).Channel))
	if err != nil {
		return none(ops.Words(err, ""))
	}
	found, err := o.Form[i].Search(ctx, ops.Request{Operation: o.Name, By: login}, did.Value)
	if err != nil {
		c.log.Warn("search", "operation", o.Name, "field", did.BlockID, "by", login, "error", err)
		return none(ops.Words(err, ""))
	}
	return choices(found)
}

// nothing is the value of an option that can't be chosen; Slack demands one.
const nothing = "-"

// suggestion is the ack's payload for a search. It says "options" also where there are
// none, which slack.OptionsResponse leaves out: Slack takes {"options":[]} for an empty
// list, and {} for a fault.
type suggestion struct {
	Options []*slack.OptionBlockObject `json:"options"`
}

// roomForOptions is how long the options may be, in bytes as they are sent: what an
// ack may be, without what stands around them.
const roomForOptions = mostAcked - 500

// choices offers as many options as Slack takes: so many, and of so many bytes as they
// are sent. The last one then says how many more there are.
func choices(found []ops.Option) suggestion {
	answer := suggestion{Options: []*slack.OptionBlockObject{}}
	var sizes []int
	for _, option := range found[:min(len(found), optionsMost)] {
		if len([]rune(option.Value)) > valueLimit {
			continue // a part of a value is another value
		}
		drawn := drawOption(option)
		answer.Options, sizes = append(answer.Options, drawn), append(sizes, encoded(drawn)+1)
	}
	size, fit := 0, 0
	for fit < len(sizes) && size+sizes[fit] <= roomForOptions {
		size += sizes[fit]
		fit++
	}
	if fit == len(found) {
		return answer
	}
	for {
		more := drawOption(ops.Option{Text: fmt.Sprintf("%d more: type more of the name", len(found)-fit)})
		if fit < optionsMost && size+encoded(more) <= roomForOptions || fit == 0 {
			answer.Options = append(answer.Options[:fit], more)
			return answer
		}
		fit--
		size -= sizes[fit]
	}
}

// drawOption draws one thing to choose; one without a value only says something.
func drawOption(o ops.Option) *slack.OptionBlockObject {
	var note *slack.TextBlockObject
	if text := cut(ops.Visible(oneLine(o.Note)), optionLimit); text != "" {
		note = plain(text)
	}
	return slack.NewOptionBlockObject(cmp.Or(o.Value, nothing), plain(cut(cmp.Or(ops.Visible(oneLine(o.Text)), cut(o.Value, optionLimit), nothing), optionLimit)), note)
}

// encoded is how many bytes something takes as it is sent, where &, < and > take six.
func encoded(what any) int {
	text, _ := json.Marshal(what)
	return len(text)
}
