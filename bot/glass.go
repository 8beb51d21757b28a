package bot

import (
	"context"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

const (
	glassFor  = 10 * time.Minute // how long the notice of a break glass may take to reach people
	glassLook = time.Second      // how often to look whether it has
)

// GlassAlarm is the name of the alarm that tells members by themselves of a break glass.
func GlassAlarm(r request.Request) string {
	return fmt.Sprintf("%s/%s/%d", request.Glass, r.ID, r.Glass.At.UnixMicro())
}

// heard returns how long to wait until people have heard that a plan is run without
// its approvals; 0: they have. The notice must stand in the log channel, or have
// reached somebody by themselves who neither asked for it nor has it run. Where it
// reaches nobody, the run is refused.
func (d *Desk) heard(ctx context.Context, r request.Request) (time.Duration, error) {
	events, err := d.Store.Events(ctx, r.ID)
	if err != nil {
		return 0, err
	}
	reached := false
	for _, e := range events {
		switch {
		case e.Kind == string(request.EventBreakGlass):
			reached = false // the notice of an earlier one says nothing of this one
		case e.Kind == "told" && e.Data["message"] == request.Glass:
			reached = true
		case e.Kind == "told" && e.Data["alarm"] == GlassAlarm(r):
			to := e.Data["to"]
			reached = reached || to != r.Asker.Name() && to != request.Asker{Front: request.Chat, Workspace: d.Team.Workspace, User: r.Glass.User}.Name()
		}
	}
	if reached {
		return 0, nil
	}
	// A bot that was stopped meanwhile has told no member.
	if d.now().Before(d.attended(r.Glass.At).Add(glassFor)) {
		return glassLook, nil
	}
	changed, err := d.changed(ctx, r, nil)
	if err != nil {
		return 0, err
	}
	why := &ops.Error{
		Kind: ops.Refused,
		What: fmt.Sprintf("Nobody but %s could be told that it runs without its approvals: the notice reached neither the log channel nor any other member by direct message.", r.Glass.By),
		Next: "Mend the log channel, then ask again, or have it approved.",
	}
	return 0, d.apply(ctx, r, request.Trigger{Event: request.EventRefused, Login: r.By, Reason: ops.WordsChanged(why, r.ID, changed), Fault: ops.Refused, Changed: changed})
}

// Then is what follows the delivery of a message: the next reminder.
func (d *Desk) Then(m request.Message, r request.Request) []request.Message {
	if m.Kind != request.GlassDue || r.Glass == nil || r.Looked != nil {
		return nil
	}
	return []request.Message{request.ReviewDue(r, d.TermsOf(r.Operation).Hours, d.now())}
}
