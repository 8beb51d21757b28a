package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// Click stores what somebody pressed and sets its ID; once it returns without
// an error, the click will be answered.
func (d *Desk) Click(ctx context.Context, c *request.Click) error {
	c.At = d.now()
	c.Text = ops.Redact(c.Text)
	if clean := ops.Redact(c.Name); clean != c.Name {
		// It is compared with a name that may look like a secret; only then it is kept.
		if r, err := d.Store.Request(ctx, c.Request); err != nil || r.Plan == nil || r.Plan.Target != c.Name {
			c.Name = clean
		}
	}
	return d.Store.InsertClick(ctx, c)
}

// answer finds out what a click does. Whatever that is, whoever pressed is told,
// by the request's card or by themselves.
func (d *Desk) answer(ctx context.Context, id int64) time.Duration {
	if d.stopping.Load() {
		return takeover
	}
	c, err := d.Store.Click(ctx, id)
	if err == nil && !c.Done {
		err = d.decide(ctx, c)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		d.Log.Error("answer a click", "click", id, "request", c.Request, "error", err)
		return afterFault
	}
	return 0
}

func (d *Desk) decide(ctx context.Context, c request.Click) error {
	if c.Verb == ConfirmsLink || c.Verb == RevokesLink {
		return d.aboutLink(ctx, c)
	}
	r, err := d.Store.Request(ctx, c.Request)
	if errors.Is(err, store.ErrNotFound) {
		const why = "There is no such request. Your click changed nothing."
		return d.Store.AnswerClick(ctx, c, request.Change{
			Events:   []request.Event{{At: d.now(), Kind: "refused", By: c.Asker.Name(), Data: map[string]any{"tried": c.Verb, "reason": why}}},
			Messages: []request.Message{{Kind: request.Letter, Body: request.Body{Text: why, For: &c.Asker}}},
		})
	}
	if err != nil {
		return err
	}
	login, account, err := d.mayDecide(ctx, r, c)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return d.refuseClick(ctx, r, c, login, "refused", ops.Words(err, r.ID)+" Your click changed nothing.")
	}
	o, _ := d.Operation(r.Operation)
	h := request.Trigger{
		Event: request.EventOf(c.Verb), Click: c.ID, Terms: d.TermsOf(r.Operation), Name: c.Name, Dangerous: o.Dangerous,
		MayBreak: d.mayBreak(login),
		Review:   request.Review{By: login, Account: account, User: c.Asker.User, Digest: c.Digest, Reason: c.Text},
	}
	if h.Event == "" {
		return d.refuseClick(ctx, r, c, login, "refused", "I don't know that button. Your click changed nothing.")
	}
	if r.State == request.Waiting {
		h.Review.Proved, err = d.proved(ctx, r, c.Verb, c.Asker, login)
		if _, said := errors.AsType[*ops.Error](err); ctx.Err() != nil || err != nil && !said {
			return errors.Join(ctx.Err(), err)
		}
		if err != nil {
			h.Unproved = ops.Words(err, r.ID) + " Your click changed nothing."
		}
	}
	if h.Shown, err = d.wasShown(ctx, r.ID, c.Digest); err != nil {
		return err
	}
	if h.Changed, err = d.changed(ctx, r, nil); err != nil {
		return err
	}
	if c.Verb == request.Undo && r.Acted() {
		if h.Effects, err = d.mayRestore(ctx, r, c); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			return d.refuseClick(ctx, r, c, login, "refused", ops.Words(err, r.ID)+" Your click changed nothing.")
		}
	}
	was := r.State
	now, err := d.Store.Update(ctx, r.ID, func(now *request.Request) (request.Change, error) {
		was = now.State
		next, change, err := request.Apply(*now, h, d.now())
		if err == nil {
			*now = next
		}
		return change, err
	})
	if held, ok := errors.AsType[*store.HeldError](err); ok {
		return d.refuseClick(ctx, r, c, login, "refused", d.busyWith(ctx, held.By))
	}
	if no, ok := errors.AsType[*request.NotNowError](err); ok {
		kind := "refused"
		if c.Digest != no.Request.Digest() || no.Request.State != request.Waiting && c.Verb != request.Reviewed {
			kind = "too-late"
		}
		return d.refuseClick(ctx, no.Request, c, login, kind, d.told(no))
	}
	if err == nil {
		d.entered(was, now)
		d.Log.Info("request "+string(h.Event), "request", r.ID, "operation", r.Operation, "by", login)
	}
	return err
}

// mayDecide tells who pressed and returns nil if they may decide. Who asked may
// always withdraw.
func (d *Desk) mayDecide(ctx context.Context, r request.Request, c request.Click) (login string, account int64, err error) {
	if c.Verb == request.Withdraw && r.By != "" && c.Asker.User != "" && c.Asker.User == r.Asker.User && c.Asker.Workspace == r.Asker.Workspace {
		_, err := d.Team.Person(ctx, c.Asker.Workspace, c.Asker.User)
		return r.By, r.Account, err
	}
	if err = d.noMember("", c.Asker); err != nil {
		return "", 0, err
	}
	if login, err = d.Member(ctx, c.Asker); err == nil {
		account, err = d.account(ctx, c.Asker, login)
	}
	return login, account, err
}

// told is what somebody reads whose click came too late or doesn't count.
func (d *Desk) told(no *request.NotNowError) string {
	if no.Why != "" {
		return no.Why
	}
	r := no.Request
	at := func(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05") + " UTC" }
	switch {
	case r.State.Ended():
		return strings.TrimSpace(fmt.Sprintf("That comes too late: the request ended at %s, as %s. %s", at(r.EndedAt), r.State, r.Reason)) + " Your click changed nothing."
	case r.State == request.Running, r.State == request.Approved:
		text := "That comes too late: it is being run"
		if n := len(r.Reviews); n > 0 {
			text += fmt.Sprintf("; %s approved it at %s", r.Reviews[n-1].By, at(r.Reviews[n-1].At))
		}
		return text + ". Your click changed nothing."
	case r.State == request.Undoing:
		return fmt.Sprintf("%s is restoring it since %s. Your click changed nothing.", r.Restoring.By, at(r.Restoring.At))
	}
	return fmt.Sprintf("That isn't possible while the request is %s. Your click changed nothing.", r.State)
}

// refuseClick answers a click that does nothing, and records it.
func (d *Desk) refuseClick(ctx context.Context, r request.Request, c request.Click, login, kind, words string) error {
	d.Meter.Refused("click")
	d.debug(ctx, r, "a click does nothing", "click", c.ID, "verb", c.Verb, "clicked", c.Asker.Name(), "login", login, "why", words)
	by := login
	if by == "" {
		by = c.Asker.Name()
	}
	return d.Store.AnswerClick(ctx, c, request.Change{
		Events: []request.Event{{At: d.now(), Request: r.ID, Kind: kind, By: by, Data: map[string]any{"tried": c.Verb, "reason": words, "state": r.State}}},
		Messages: []request.Message{{
			Thread: c.Thread(), Request: r.ID, Kind: request.Private, Body: request.Body{Text: words, For: &c.Asker},
		}},
	})
}
