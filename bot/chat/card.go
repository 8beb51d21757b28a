package chat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// cards makes the card, or brings it up to date: where the operation is asked
// for, and in the log channel where that is another.
func (c *Chat) cards(ctx context.Context, m request.Message, r request.Request, sent receipt) error {
	all, err := c.store.OnCard(ctx, r.Card)
	if err != nil {
		return err
	}
	// Who was turned away at the door has no card.
	shown := slices.DeleteFunc(all, func(r request.Request) bool { return r.AdmittedAt.IsZero() })
	if len(shown) == 0 {
		return sent("", store.Post{})
	}
	head, err := c.anchor(ctx, shown)
	if err != nil {
		return err
	}
	logged, err := c.placeCards(ctx, m, shown, head)
	if err != nil {
		return err
	}
	if head.Seq > 0 {
		return sent("", store.Post{}, anchored(head, logged))
	}
	return sent("", store.Post{})
}

// cardPlaces are where the cards of an operation's requests stand, in the order
// in which they are made.
func (c *Chat) cardPlaces(operation string) []cardPlace {
	places := []cardPlace{{store.CardPlace, c.channelOf(operation)}}
	if c.channelOf(operation) != c.channel {
		places = append(places, cardPlace{store.LogPlace, c.channel})
	}
	return places
}

type cardPlace struct{ name, channel string }

// placeCards puts the card of requests where it belongs, and returns where the one
// in the log channel stands. Where there are two, each leads to the other.
func (c *Chat) placeCards(ctx context.Context, m request.Message, shown []request.Request, head store.Head) (logged store.Post, err error) {
	places := c.cardPlaces(shown[0].Operation)
	stand := make([]store.Post, len(places))
	for i, place := range places {
		if stand[i], _, err = c.store.Posted(ctx, shown[0].Card, place.name); err != nil {
			return logged, err
		}
	}
	earlier := make([]store.Post, len(places))
	for i, place := range places {
		if earlier[i], _, err = c.store.Posted(ctx, shown[0].Card, place.name+beforePlace); err != nil {
			return logged, err
		}
	}
	draw := func(i int) drawing {
		other := ""
		if len(places) == 2 && stand[1-i].TS != "" {
			other = c.link(stand[1-i])
		}
		return c.leadsBack(drawCard(c.operationOf(shown[0]), shown, places[i].name, other, head), earlier[i])
	}
	known := len(places) == 1 || stand[0].TS != "" && stand[1].TS != ""
	for i, place := range places {
		before := stand[i]
		stand[i], err = c.placeCard(ctx, m, shown, place, before, draw(i))
		if isClosed(err) && place.name == store.LogPlace && !strings.HasPrefix(m.Thread, aside) {
			return logged, c.cardAside(ctx, m, shown[0])
		}
		if err != nil {
			return logged, err
		}
		known = known && stand[i] == before
	}
	if !known && len(places) == 2 {
		// The first was made before it was known where the second would stand.
		if stand[0], err = c.placeCard(ctx, m, shown, places[0], stand[0], draw(0)); err != nil {
			return logged, err
		}
	}
	return stand[len(stand)-1], nil
}

// cardAside has the card in the log channel, which takes no message, tried on beside the
// thread: a decision in another channel doesn't wait for it.
func (c *Chat) cardAside(ctx context.Context, m request.Message, r request.Request) error {
	err := c.store.TellOnce(ctx, fmt.Sprintf("%s%d", aside, m.ID), request.Change{
		Messages: []request.Message{{Thread: aside + "card/" + r.Card, Request: m.Request, Kind: request.Card, Due: time.Now().Add(asideFor)}},
	})
	if errors.Is(err, store.ErrTaken) {
		return nil
	}
	return err
}

// placeCard makes a card, or brings up to date the one that stands already. One
// that is gone is made anew, and its thread goes on there.
func (c *Chat) placeCard(ctx context.Context, m request.Message, shown []request.Request, place cardPlace, at store.Post, d drawing) (store.Post, error) {
	m.Body.Other = place.name
	if at.TS != "" {
		// Another one than the first, also where a try looks for what an earlier one left.
		m.Body.Other += "/after/" + at.TS
		now, err := c.amend(ctx, m, at, store.Post{Channel: place.channel}, d)
		if err != nil || now == at {
			return now, err
		}
		if err := c.delivered(ctx, store.Delivery{Thread: shown[0].Card, Place: place.name, Post: now}); err != nil {
			return now, err
		}
		if place.name == store.CardPlace {
			err = c.tellAnew(ctx, shown)
		}
		return now, err
	}
	p, err := c.tell(ctx, m, store.Post{Channel: place.channel}, d)
	if err != nil {
		return p.Post, err
	}
	if err := c.delivered(ctx, store.Delivery{Thread: shown[0].Card, Place: place.name, Post: p.Post}); err != nil {
		return p.Post, err
	}
	if place.name == store.CardPlace {
		if err := c.outdate(ctx, shown); err != nil {
			return p.Post, err
		}
	}
	// A card that an earlier try left is behind the times.
	if p.found {
		return c.amend(ctx, m, p.Post, store.Post{Channel: place.channel}, d)
	}
	return p.Post, nil
}

// threadOf is the card in whose thread a message belongs: decisions where the
// operation is asked for, log and result in the log channel.
func (c *Chat) threadOf(ctx context.Context, m request.Message, r request.Request) (cardPlace, store.Post, error) {
	places := c.cardPlaces(r.Operation)
	if slices.Contains([]string{request.Log, request.LogFile, request.Result}, m.Kind) {
		slices.Reverse(places)
	}
	for _, place := range places {
		at, posted, err := c.store.Posted(ctx, r.Card, place.name)
		if err != nil || posted {
			return place, at, err
		}
	}
	return places[0], store.Post{}, fmt.Errorf("the card of request %s isn't posted", r.ID)
}

// cardAnew makes the card of a thread anew that was deleted, or whose thread takes no
// message any more. Where the old one stands, each leads to the other.
func (c *Chat) cardAnew(ctx context.Context, m request.Message, r request.Request, place cardPlace, old store.Post) (store.Post, error) {
	all, err := c.store.OnCard(ctx, r.Card)
	if err != nil {
		return store.Post{}, err
	}
	shown := slices.DeleteFunc(all, func(r request.Request) bool { return r.AdmittedAt.IsZero() })
	if len(shown) == 0 {
		return store.Post{}, fmt.Errorf("request %s has no card", r.ID)
	}
	if before, made, err := c.store.Posted(ctx, r.Card, place.name+beforePlace); err != nil {
		return store.Post{}, err
	} else if made && before.TS != old.TS && time.Since(posted(old)) < anewEvery {
		return old, nil // it is new, and its thread takes nothing either
	}
	c.log.Warn("the thread of a card takes nothing; making the card anew", "request", r.ID, "channel", old.Channel, "ts", old.TS)
	command := "`" + escape(c.operationOf(r).Command) + "`" + target(r)
	before := old
	err = c.update(ctx, old, drawNotice(command+": this thread takes no more messages; it goes on under a new card below."))
	switch {
	case isGone(err):
		before = store.Post{} // nothing is left to lead to
	case err != nil && !refuses(err) && !isClosed(err):
		return store.Post{}, err
	}
	m.Body.Other = place.name + "/after/" + old.TS
	d := c.leadsBack(drawCard(c.operationOf(r), shown, place.name, "", store.Head{}), before)
	p, err := c.tell(ctx, m, store.Post{Channel: place.channel}, d)
	if err != nil {
		return p.Post, err
	}
	for name, at := range map[string]store.Post{place.name + beforePlace: before, place.name: p.Post} {
		if err := c.delivered(ctx, store.Delivery{Thread: r.Card, Place: name, Post: at}); err != nil {
			return p.Post, err
		}
	}
	if before.TS != "" {
		if err := c.retire(ctx, m, old, drawNotice(fmt.Sprintf("%s: this thread takes no more messages; it goes on <%s|under a new card>.", command, c.link(p.Post)))); err != nil {
			return p.Post, err
		}
	}
	if place.name == store.CardPlace {
		err = c.tellAnew(ctx, shown)
	}
	return p.Post, err
}

// beforePlace ends the place of the card that stood before one that was made anew.
const beforePlace = "/before"

// anewEvery is how often a card is made anew at most.
const anewEvery = 10 * time.Minute

// posted is when a message was posted, as its ID says.
func posted(at store.Post) time.Time {
	seconds, _ := strconv.ParseFloat(at.TS, 64)
	return time.UnixMicro(int64(seconds * 1e6))
}

// leadsBack has a card lead to the one before it; the zero Post: there is none.
func (c *Chat) leadsBack(d drawing, before store.Post) drawing {
	if before.TS != "" {
		d.blocks = append(d.blocks, small(fmt.Sprintf("It goes on from <%s|an earlier thread>.", c.link(before))))
	}
	return d
}

// drawCard draws the card of one request or of several that were asked for
// together: who asked for what, when, who decided, and where it stands. other is
// the address of the card in the other channel; empty: there is none.
func drawCard(o ops.Operation, all []request.Request, place, other string, head store.Head) drawing {
	first, command := all[0], o.Command
	if first.Preview {
		command += " plan"
	}
	asked := fmt.Sprintf("`%s` asked for by <@%s>", escape(command), first.Asker.User)
	if !strings.HasPrefix(first.By, "slack.") {
		asked += " (GitHub: " + escape(first.By) + ")"
	}
	common := first.Inputs
	if len(all) > 1 {
		common = map[string][]string{}
		for name, values := range first.Inputs {
			if slices.Equal(values, all[1].Inputs[name]) {
				common[name] = values
			}
		}
	}
	for _, f := range o.Form {
		text := strings.Join(common[f.Name], ", ")
		if first.Plan == nil {
			text = ops.Redact(text) // nothing shows yet that it is the name it was typed for
		}
		if text != "" && len(f.Agree) == 0 {
			asked += "\n" + escape(f.Label) + ": " + item(oneLine(text), lineLimit)
		}
	}
	b := sheet{}
	b.add(asked)
	for _, r := range all {
		line := state(r, linked)
		if len(all) > 1 {
			line = "*" + item(subject(r, common), lineLimit) + "*: " + line
		}
		if held := heldUp(r); held != "" {
			line += "\n" + held
		}
		for _, decision := range decisions(r) {
			line += "\n" + decision
		}
		b.add(line)
	}
	d := drawing{
		text:   fmt.Sprintf("%s, asked for by %s: %s", command, name(first), unstarred(state(first, escape))),
		blocks: append(b.blocks(), small(foot(all, place, other))),
	}
	if head.Seq > 0 {
		d.anchor = head.String()
		d.blocks = append(d.blocks, small("Audit `"+d.anchor+"`, the end of the record, to check it by"))
	}
	return d
}

// foot is what stands small below a card.
func foot(all []request.Request, place, other string) string {
	first := all[0]
	foot := fmt.Sprintf("Request %s · asked %s UTC", ops.Short(first.ID), first.At.UTC().Format("2 Jan 2006 15:04:05"))
	if first.Again != "" {
		foot += " · runs " + ops.Short(first.Again) + " again"
	}
	if !first.StartedAt.IsZero() && len(all) == 1 {
		foot += " · started " + on(first.StartedAt, first.At)
	}
	if !first.EndedAt.IsZero() && len(all) == 1 {
		foot += " · ended " + on(first.EndedAt, first.At)
	}
	switch {
	case other == "":
	case place == store.LogPlace:
		foot += fmt.Sprintf(" · <%s|plan and decision>", other)
	default:
		foot += fmt.Sprintf(" · <%s|log and result>", other)
	}
	return foot
}

// subject is what one of several requests on a card is about.
func subject(r request.Request, common ops.Inputs) string {
	var own []string
	for _, name := range slices.Sorted(maps.Keys(r.Inputs)) {
		if _, shared := common[name]; !shared {
			own = append(own, strings.Join(r.Inputs[name], ", "))
		}
	}
	return strings.Join(own, ", ")
}

// where is the address of a card; empty while it isn't posted.
func (c *Chat) where(ctx context.Context, card string) string {
	at, posted, err := c.store.Posted(ctx, card, store.CardPlace)
	if err != nil || !posted {
		return ""
	}
	return c.link(at)
}
