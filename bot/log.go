package bot

import (
	"context"
	"log/slog"

	"github.com/aws-root-account/rootbot/bot/request"
)

// debug tells the operator's log of a decision about a request that its events don't
// tell: why a process leaves a request to another, what came of asking again. args are
// pairs, as slog takes them. Until it is known who asks, by is their name in the front end.
func (d *Desk) debug(ctx context.Context, r request.Request, decision string, args ...any) {
	if !d.Log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	by := r.By
	if by == "" {
		by = r.Asker.Name()
	}
	d.Log.DebugContext(ctx, decision, append([]any{"request", r.ID, "operation", r.Operation, "by", by, "state", string(r.State)}, args...)...)
}
