package bot

import (
	"context"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// Happening is a request.Trigger as tests write it.
type Happening struct {
	Kind    string
	Login   string
	Held    string
	Plan    *ops.Plan
	Terms   request.Terms
	Review  request.Review
	Reason  string
	Fault   ops.Kind
	Pointer string
	Click   int64
	Unshown bool // the plan of the review hasn't reached anybody
	Changed ops.Changed
	Effects []string
	Lost    request.Review
}

// After is the life of a request.
func After(r request.Request, h Happening, now time.Time) (request.Request, request.Change, error) {
	return request.Apply(r, request.Trigger{
		Event: request.EventKind(h.Kind), Login: h.Login, Held: h.Held, Plan: h.Plan, Terms: h.Terms, Review: h.Review,
		Reason: h.Reason, Fault: h.Fault, Pointer: h.Pointer, Click: h.Click, Shown: !h.Unshown, Changed: h.Changed, Effects: h.Effects, Lost: h.Lost, MayBreak: true,
	}, now)
}

// Still returns nil if whoever asked and whoever approved a request still may.
func (d *Desk) Still(ctx context.Context, r request.Request) error { return d.still(ctx, r) }

// StartAnchoring begins what has the audit anchored, and nothing else.
func (d *Desk) StartAnchoring(ctx context.Context) { d.startAnchoring(ctx) }

// StopAnchoring ends it.
func (d *Desk) StopAnchoring() { d.anchoring.stop() }

// WaitForOthers is how long the desk waits for a process that has what a request needs.
func (d *Desk) WaitForOthers(limit time.Duration) { d.missingFor = limit }

// ListLinks has the log channel told of the links that stand since before links were confirmed.
func (d *Desk) ListLinks(ctx context.Context) error { return d.listLinks(ctx) }
