package bot

import (
	"context"
	"log/slog"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// report tells the operator what a person isn't told. That a person may not ask, or asks
// for what can't be, needs nobody's look.
func (d *Desk) report(err error, r request.Request) {
	level := slog.LevelWarn
	if kind := ops.KindOf(err); r.AdmittedAt.IsZero() && (kind == ops.Refused || kind == ops.Invalid) {
		level = slog.LevelInfo
	}
	d.Log.Log(context.Background(), level, "request stopped", append(about(r), "error", err)...)
}

// debug tells the operator's log of a decision about a request that its events don't
// tell: why a process leaves a request to another, what came of asking again. args are
// pairs, as slog takes them.
func (d *Desk) debug(ctx context.Context, r request.Request, decision string, args ...any) {
	if d.Log.Enabled(ctx, slog.LevelDebug) {
		d.Log.DebugContext(ctx, decision, append(about(r), append([]any{"state", string(r.State)}, args...)...)...)
	}
}

// about says in a line of the log which request it is about. Until it is known who asks,
// by is their name in the front end.
func about(r request.Request) []any {
	by := r.By
	if by == "" {
		by = r.Asker.Name()
	}
	return []any{"request", r.ID, "operation", r.Operation, "by", by}
}
