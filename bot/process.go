package bot

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// missingFor is how long processes that share a database wait for one that has what
// a request needs, before they take the request without or tell its people: in a
// deployment there is none for a moment.
const missingFor = time.Minute

// process is this process as the others know it.
func (d *Desk) process() store.Process {
	p := store.Process{ID: d.Store.ID(), Front: d.Front, Only: d.Only, Operations: map[string]string{}}
	for _, o := range d.Operations {
		p.Operations[o.Name] = d.settingsOf(o.Name)
	}
	return p
}

// settingsOf is the digest of an operation's settings here; empty: they aren't compared.
func (d *Desk) settingsOf(operation string) string {
	if d.SettingsOf == nil {
		return ""
	}
	return d.SettingsOf(operation)
}

// serves tells whether a process has the operation of a request, and the front end
// that knows who asked for it and who decides. Any process serves a terminal's
// requests: what that says of who asks is proved already.
func serves(p store.Process, r request.Request) bool {
	if p.Only != "" && p.Only != r.ID && p.Only != r.Card {
		return false
	}
	_, offers := p.Operations[r.Operation]
	return offers && (p.Front == "" || r.Asker.Front == "" || r.Asker.Front == request.Terminal || p.Front == r.Asker.Front)
}

// knows tells whether a process has the settings that a request was last planned with.
func knows(p store.Process, r request.Request) bool {
	has := p.Operations[r.Operation]
	return r.Settings == "" || has == "" || has == r.Settings
}

// judges tells whether a process can judge a request.
func judges(p store.Process, r request.Request) bool { return serves(p, r) && knows(p, r) }

// chosen is one of the living processes that fit, other than this one; empty: there is none.
func (d *Desk) chosen(all []store.Process, fits func(store.Process) bool) string {
	var ids []string
	for _, p := range all {
		if p.Lives && p.ID != d.Store.ID() && fits(p) {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return ids[rand.IntN(len(ids))]
}

// missing tells whether no process that fits has been there for so long that none is
// waited for any more.
func (d *Desk) missing(all []store.Process, fits func(store.Process) bool) bool {
	if !d.Store.Shared() {
		return true
	}
	gone := d.Store.Watched()
	for _, p := range all {
		if p.ID != d.Store.ID() && fits(p) {
			gone = min(gone, p.Silent)
		}
	}
	limit := d.missingFor
	if limit == 0 {
		limit = missingFor
	}
	return gone >= limit
}

// takes tells whether this process is to carry a request on, and whether it must
// adopt it first. A request that it can't judge it leaves to a process that can, or,
// where there is none now, as it is: who looks for what is due comes to it again.
func (d *Desk) takes(ctx context.Context, id string, job int64) (r request.Request, takes, adopts bool, err error) {
	r, err = d.Store.Request(ctx, id)
	if err != nil {
		return r, false, false, err
	}
	self := d.process()
	if judges(self, r) {
		return r, true, false, nil
	}
	if r.State.Ended() || r.Holder > job {
		return r, false, false, nil
	}
	all, err := d.Store.Processes(ctx)
	if err != nil {
		return r, false, false, err
	}
	can := func(p store.Process) bool { return judges(p, r) }
	if other := d.chosen(all, can); other != "" {
		return r, false, false, d.Store.HandOver(ctx, id, other)
	}
	if serves(self, r) {
		// Before there is a plan, nothing was shown under the settings that are gone.
		adopts := r.Plan == nil || d.missing(all, can)
		return r, adopts, adopts, nil
	}
	offers := func(p store.Process) bool { return serves(p, r) }
	if other := d.chosen(all, offers); other != "" {
		return r, false, false, d.Store.HandOver(ctx, id, other)
	}
	if d.Only == "" && d.missing(all, offers) {
		err = d.tellUnoffered(ctx, r)
	}
	return r, false, false, err
}

// adopt records that a request goes on with this process's settings, since no process
// has those that it was planned with any more. What that changes about it, the next
// look at its plan finds out.
func (d *Desk) adopt(ctx context.Context, was request.Request) error {
	_, err := d.update(ctx, was, func(now *request.Request) (request.Change, error) {
		if now.Settings != was.Settings || now.State.Ended() {
			return request.Change{}, store.ErrStale
		}
		now.Settings = d.settingsOf(now.Operation)
		return request.Change{Events: []request.Event{
			request.NewEvent(*now, d.now(), "adopted", map[string]any{"before": was.Settings, "now": now.Settings}),
		}}, nil
	})
	if err == nil {
		d.Log.Warn("request goes on with other settings than it was planned with", "request", was.ID, "operation", was.Operation)
	}
	return err
}

// tellUnoffered tells the people of a request, once a day, that no process offers its
// operation any more.
func (d *Desk) tellUnoffered(ctx context.Context, r request.Request) error {
	text := fmt.Sprintf("No running bot offers %s any more, so this waits.", r.Operation)
	if !r.StartedAt.IsZero() {
		text += " What was done stays; Restore waits as well."
	}
	text += " It goes on by itself as soon as a bot with settings for " + r.Operation + " runs."
	m := request.Message{Thread: r.Card, Request: r.ID, Kind: request.Note, Body: request.Body{Text: text}}
	if r.AdmittedAt.IsZero() {
		m.Thread, m.Kind = "", request.Private // there is no card yet
	}
	return d.tellOnce(ctx, "unoffered/"+r.ID+"/"+d.now().Format(time.DateOnly), m)
}

func (d *Desk) tellOnce(ctx context.Context, origin string, m request.Message) error {
	if m.Thread == "" {
		m.Thread = m.Kind + "/" + m.Request
	}
	err := d.Store.TellOnce(ctx, origin, request.Change{Messages: []request.Message{m}})
	if errors.Is(err, store.ErrTaken) {
		return nil
	}
	return err
}

// answers answers a click, if this process can judge its request; else the click is
// left to one that can, and kept while there is none.
func (d *Desk) answers(ctx context.Context, id int64) time.Duration {
	left, err := d.leaves(ctx, id)
	switch {
	case err != nil:
		d.Log.Error("look whose a click is", "click", id, "error", err)
		return afterFault
	case left:
		d.Log.Debug("a click is left to another process, or as it is", "click", id)
		return 0
	}
	return d.answer(ctx, id)
}

// leaves tells whether a click was left to others. The settings say what a decision
// takes, so a process with other ones leaves it to those that have the request's, and
// answers it itself once none has been there for long enough. A process that carries
// one request answers no clicks; for those on its request no other is waited for.
func (d *Desk) leaves(ctx context.Context, id int64) (bool, error) {
	c, err := d.Store.Click(ctx, id)
	if errors.Is(err, store.ErrNotFound) || c.Done {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := d.Store.Request(ctx, c.Request)
	if errors.Is(err, store.ErrNotFound) || err == nil && judges(d.process(), r) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	all, err := d.Store.Processes(ctx)
	if err != nil {
		return false, err
	}
	can := func(p store.Process) bool { return p.Only == "" && judges(p, r) }
	if other := d.chosen(all, can); other != "" {
		return true, d.Store.HandOverClick(ctx, id, other)
	}
	if serves(d.process(), r) {
		alone := func(p store.Process) bool { return p.Only != "" && judges(p, r) }
		return d.chosen(all, alone) == "" && !d.missing(all, can), nil
	}
	offers := func(p store.Process) bool { return p.Only == "" && serves(p, r) }
	if other := d.chosen(all, offers); other != "" {
		return true, d.Store.HandOverClick(ctx, id, other)
	}
	if !d.missing(all, offers) {
		return true, nil
	}
	return true, d.tellOnce(ctx, fmt.Sprintf("unoffered/click/%d", id), request.Message{
		Thread: (request.Click{ID: id}).Thread(), Request: r.ID, Kind: request.Private, Body: request.Body{
			For:  &c.Asker,
			Text: fmt.Sprintf("No running bot offers %s any more, so your click waits until one does. It isn't lost.", r.Operation),
		},
	})
}

// Fence returns nil if the worker that r was given to still holds the request, before a
// call of AWS is made once more that was recorded before its first try: a process that was
// frozen between two tries must not change what another has taken over since.
func (d *Desk) Fence(ctx context.Context, r ops.Request) error {
	if r.Lease == 0 {
		return nil
	}
	holds, err := d.Store.HoldsLease(ctx, r.ID, r.Lease)
	if err == nil && !holds {
		err = &ops.HaltError{Err: store.ErrLost}
	}
	return err
}
