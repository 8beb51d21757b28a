package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// line is a request in a list: who asked for what, when, and where it stands.
func (c *Chat) line(ctx context.Context, r request.Request) string {
	command := "`" + escape(c.operationOf(r).Command) + "`"
	if where := c.where(ctx, r.Card); where != "" {
		command = fmt.Sprintf("<%s|%s>", where, escape(c.operationOf(r).Command))
	}
	about := ""
	if r.Plan != nil && r.Plan.Target != "" {
		about = " " + item(r.Plan.Target, 100)
	}
	return fmt.Sprintf("%s%s by %s, %s: %s", command, about, name(r), moment(r.At), cutWord(oneLine(c.stands(r)), 150))
}

// stands is a request's state as others read it. The words of a refusal at the door
// are for the requester alone.
func (c *Chat) stands(r request.Request) string {
	if r.State == request.Refused && r.AdmittedAt.IsZero() {
		return "⛔ *Refused* — " + name(r) + " couldn't ask for it then"
	}
	return state(r, escape)
}

// history lists requests that were.
func (c *Chat) history(ctx context.Context, title string, list []request.Request) drawing {
	if len(list) == 0 {
		return drawing{text: title + ": none."}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%s*", title)
	for i, r := range list {
		line := "\n• " + c.line(ctx, r)
		if utf8.RuneCountInString(b.String())+utf8.RuneCountInString(line) > sectionLimit-50 {
			fmt.Fprintf(&b, "\n… and %d more", len(list)-i)
			break
		}
		b.WriteString(line)
	}
	return drawing{text: b.String()}
}

// unknownWord says that no operation and no person bears a word; empty: one does.
func (c *Chat) unknownWord(ctx context.Context, word string) string {
	if _, ok := c.desk.Operation(word); ok || word == "" {
		return ""
	}
	tries := []string{}
	for _, o := range c.desk.Operations[:min(3, len(c.desk.Operations))] {
		tries = append(tries, o.Name)
	}
	recent, err := c.store.Recent(ctx, "", lookBack)
	if err != nil {
		return ""
	}
	for _, r := range recent {
		if r.By != "" && !strings.HasPrefix(r.By, "slack.") && !slices.Contains(tries, r.By) && len(tries) < 6 {
			tries = append(tries, r.By)
		}
	}
	return fmt.Sprintf("There is no operation and nobody called “%s” here. Try %s.", escape(cut(word, 100)), escape(strings.Join(tries, ", ")))
}

// mostListed is how many requests a list with buttons has: two blocks each.
const mostListed = 20

// openRequests lists the requests that can be decided, each with the buttons that its
// thread has: also where its message there is gone.
func (c *Chat) openRequests(ctx context.Context) (drawing, error) {
	list, err := c.store.Unfinished(ctx)
	if err != nil {
		return drawing{}, err
	}
	recent, err := c.store.Recent(ctx, "", 10*lookBack)
	if err != nil {
		return drawing{}, err
	}
	for _, r := range slices.Backward(recent) {
		unseen := r.Glass != nil && r.Looked == nil
		if r.State.Ended() && (unseen || r.State != request.Succeeded && restorable(c.operationOf(r), r)) {
			list = append(list, r)
		}
	}
	waiting, err := c.openLinks(ctx)
	if err != nil {
		return drawing{}, err
	}
	d := c.history(ctx, "Open requests", list)
	if len(list) == 0 && len(waiting) == 0 {
		return d, nil
	}
	d.blocks = []slack.Block{section("*Open requests*")}
	for i, r := range list {
		if i == mostListed {
			d.blocks = append(d.blocks, section(fmt.Sprintf("… and %d more", len(list)-i)))
			break
		}
		d.blocks = append(d.blocks, section("• "+c.line(ctx, r)))
		hidden, _, err := c.hidden(ctx, r)
		if err != nil {
			return drawing{}, err
		}
		buttons := decidable(offers(c.operationOf(r), r, len(c.desk.BreakGlass) > 0), hidden)
		if r.Glass != nil && r.Looked == nil && len(buttons) < 5 {
			buttons = append(buttons, button(request.Reviewed, "I have looked at it", r, ""))
		}
		if len(buttons) > 0 {
			d.blocks = append(d.blocks, slack.NewActionBlock("decide/"+r.ID, buttons...))
		}
	}
	return c.withLinks(d, waiting), nil
}

// mostBlocks is how many blocks Slack takes in a message.
// https://docs.slack.dev/reference/block-kit/blocks
const mostBlocks = 50

// withLinks puts links below a list of requests, as many as a message has room for.
func (c *Chat) withLinks(d drawing, links []drawing) drawing {
	for i, l := range links {
		if left := len(links) - i; len(d.blocks)+len(l.blocks) >= mostBlocks {
			more := "… and " + ops.Count(left, "link") + " that must be confirmed, in the log channel"
			d.text += "\n" + more
			d.blocks = append(d.blocks, section(more))
			break
		}
		d.text += "\n• " + l.text
		d.blocks = append(d.blocks, l.blocks...)
	}
	return d
}

// openLinks draws the links that wait for a member to confirm them.
func (c *Chat) openLinks(ctx context.Context) ([]drawing, error) {
	links, err := c.store.Links(ctx, c.workspace)
	if err != nil {
		return nil, err
	}
	var list []drawing
	for _, l := range links {
		if !l.Asked.IsZero() && l.Confirmed.IsZero() && time.Now().Before(bot.ConfirmTill(l)) {
			list = append(list, c.drawLink(ctx, l))
		}
	}
	return list, nil
}
