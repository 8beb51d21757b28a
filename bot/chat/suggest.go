package chat

import (
	"context"
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

func choices(found []ops.Option) slack.OptionsResponse {
	answer := slack.OptionsResponse{Options: []*slack.OptionBlockObject{}}
	for _, option := range found[:min(len(found), optionsMost)] {
		value, note := option.Value, (*slack.TextBlockObject)(nil)
		if value == "" {
			value = nothing
		}
		if option.Note != "" {
			note = plain(cut(oneLine(option.Note), optionLimit))
		}
		answer.Options = append(answer.Options, slack.NewOptionBlockObject(value, plain(cut(oneLine(option.Text), optionLimit)), note))
	}
	return answer
}
