package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// decision is what a form of a decision carries with it, out of people's reach.
type decision struct {
	Value   string `json:"value"` // of the button: request and digest
	Channel string `json:"channel"`
}

// Blocks of a decision's form.
const (
	reasonBlock = "reason"
	nameBlock   = "name"
)

// named tells whether a decision takes the target's name typed in full.
func named(verb string, o ops.Operation) bool {
	return o.Dangerous && (verb == request.Approve || verb == request.BreakGlass)
}

// reasonForm asks for what a decision must come with.
func reasonForm(verb, value, channel string, r request.Request, o ops.Operation, logChannel string) slack.ModalViewRequest {
	kept, _ := json.Marshal(decision{Value: value, Channel: channel})
	view := slack.ModalViewRequest{Type: slack.VTModal, CallbackID: decideForm + verb, PrivateMetadata: string(kept), Close: plain("Cancel")}
	about := "`" + escape(cmp.Or(o.Command, r.Operation)) + "`" + cutEscaped(target(r), 200)
	title, hint := "Approve", "Everybody in the thread can read it."
	switch verb {
	case request.Reject:
		title = "Reject"
	case request.Withdraw:
		title = "Withdraw"
		about = fmt.Sprintf("Withdraw someone else's request: %s. <@%s> asked for it, and is told that you withdrew it, and why.", about, r.Asker.User)
	case request.Undo:
		title = cut(restoreLabel(o, r), titleLimit)
	case request.End:
		title = "End"
		about += "\nThe run ends here, and everything stays as people have made it."
	case request.Reviewed:
		title, hint = "Looked at", "Was it needed, and did it do what it should? Everybody can read it."
	case request.BreakGlass:
		title, hint = "Break glass", "Why it can't wait. Everybody can read it."
		about += fmt.Sprintf("\n🚨 It will run *without the %s that it needs*. Everybody in %s is told at once, and somebody else must look at it afterwards.",
			approvals(r.Missing()), escape(logChannel))
	}
	view.Title, view.Submit = plain(title), plain(title)
	view.Blocks.BlockSet = []slack.Block{section(about)}
	if named(verb, o) {
		label := "Type the name to approve"
		if verb == request.BreakGlass {
			label = "Type the name to have it run alone"
		}
		block := slack.NewInputBlock(nameBlock, plain(label), nil, slack.NewPlainTextInputBlockElement(nil, nameBlock))
		block.Hint = plain(cut("Exactly: "+ops.Visible(targetOf(r)), 150))
		view.Blocks.BlockSet = append(view.Blocks.BlockSet, block)
	}
	if verb != request.Approve {
		field := slack.NewPlainTextInputBlockElement(nil, reasonBlock)
		field.Multiline = verb == request.BreakGlass || verb == request.Reviewed
		label := "Reason"
		if verb == request.Reviewed {
			label = "Remark"
		}
		block := slack.NewInputBlock(reasonBlock, plain(label), nil, field)
		block.Hint = plain(hint)
		view.Blocks.BlockSet = append(view.Blocks.BlockSet, block)
	}
	return view
}

// targetOf is the name that is typed to approve.
func targetOf(r request.Request) string {
	if r.Plan == nil {
		return ""
	}
	return r.Plan.Target
}

// misnamed says that the name which was typed isn't the target's; empty: it is, or
// the desk judges it.
func (c *Chat) misnamed(ctx context.Context, click request.Click) string {
	reading, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	r, err := c.store.Request(reading, click.Request)
	o, _ := c.desk.Operation(r.Operation)
	if err != nil || r.State != request.Waiting || click.Digest != r.Digest() || !named(click.Verb, o) || click.Name == targetOf(r) {
		return ""
	}
	what := "the name"
	if i := slices.IndexFunc(o.Form, func(f ops.Field) bool { return f.Search != nil }); i >= 0 {
		what = "the " + strings.ToLower(o.Form[i].Label)
	}
	return cut(fmt.Sprintf("You typed “%s”; %s is “%s”.", cut(ops.Visible(click.Name), 50), what, ops.Visible(targetOf(r))), 150)
}

// submitDecision takes the form of a decision.
func (c *Chat) submitDecision(ctx context.Context, sent slack.InteractionCallback, verb string) any {
	var kept decision
	if err := json.Unmarshal([]byte(sent.View.PrivateMetadata), &kept); err != nil || !slices.Contains(verbs, verb) {
		return c.notMine(ctx, sent, kept.Channel, cut(verb, 100))
	}
	id, digest, _ := strings.Cut(kept.Value, ":")
	who := c.presser(sent, kept.Channel)
	click := request.Click{
		Request: id, Verb: verb, Asker: who, Digest: digest,
		Text: oneLine(typedIn(sent, reasonBlock)), Name: typedIn(sent, nameBlock),
		Origin: origin(sent.TriggerID, sent.User.ID, sent.View.ID, sent.View.Hash),
	}
	wrong := map[string]string{}
	switch {
	case verb == request.Approve && click.Name == "":
		wrong[nameBlock] = "Please fill this in."
	case verb != request.Approve && ops.Blank(click.Text):
		wrong[reasonBlock] = "Please fill this in."
	}
	for block, text := range map[string]string{reasonBlock: click.Text, nameBlock: click.Name} {
		if err := ops.CheckText(text); err != nil {
			wrong[block] = err.Error()
		}
	}
	if len(wrong) == 0 {
		if no := c.misnamed(ctx, click); no != "" {
			wrong[nameBlock] = no
		}
	}
	if len(wrong) > 0 {
		c.turnAway(ctx, who, verb, reasons(wrong))
		return slack.NewErrorsViewSubmissionResponse(wrong)
	}
	if err := c.decide(ctx, click, ""); err != nil {
		block := reasonBlock
		if verb == request.Approve {
			block = nameBlock
		}
		return slack.NewErrorsViewSubmissionResponse(map[string]string{block: cut(refusal(err), 150)})
	}
	return nil
}

// typed is what stands in the fields of a form.
func typed(sent slack.InteractionCallback) map[string]map[string]slack.BlockAction {
	if sent.View.State == nil {
		return nil
	}
	return sent.View.State.Values
}

// typedIn is the text of a form's field.
func typedIn(sent slack.InteractionCallback, block string) string {
	for _, action := range typed(sent)[block] {
		return action.Value
	}
	return ""
}
