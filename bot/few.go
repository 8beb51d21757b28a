package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// tooFew says that the bot doesn't know enough members of the team for the approvals
// that a plan needs, and who could be known; empty: it does, or that can't be told.
// Single sign-on names people only once they come, so it says nothing where that is on.
func (d *Desk) tooFew(ctx context.Context, r request.Request, plan ops.Plan) string {
	need, _ := d.TermsOf(r.Operation).Need(plan)
	if need == 0 || r.Preview || r.Asker.Login != "" || d.Team == nil || len(d.Team.SAML.Domains) > 0 {
		return ""
	}
	known, others, err := d.approvers(ctx, r.By)
	if err != nil {
		d.Log.Warn("find out who can approve", "request", r.ID, "error", err)
	}
	if err != nil || len(known) >= need {
		return ""
	}
	who := "no member who can approve."
	switch n := len(known); {
	case n == 1:
		who = "1 member who can approve: " + known[0] + "."
	case n > 1:
		who = fmt.Sprintf("%d members who can approve: %s.", n, strings.Join(known, ", "))
	}
	text := fmt.Sprintf("This needs %s, and the bot knows %s ", request.Approvals(need), who)
	if len(others) == 0 {
		return text + fmt.Sprintf("The team %s has no other member: add one on GitHub.", d.Team.Name())
	}
	how := "ask the operator of the bot to add them to its identities"
	if d.Team.Device.ClientID != "" {
		how = "ask them to type `/rootbot link`, or the operator of the bot to add them to its identities"
	}
	return text + fmt.Sprintf("The bot doesn't know who in Slack is %s: %s.", oneOf(others), how)
}

// approvers are the logins of the members of the team but the asker, as GitHub lists
// them now: those whom the bot knows in the chat, and the others.
func (d *Desk) approvers(ctx context.Context, asker string) (known, others []string, err error) {
	logins, err := d.Team.Logins(ctx)
	if err != nil {
		return nil, nil, err
	}
	people, err := d.Team.Known(ctx)
	if err != nil {
		return nil, nil, err
	}
	here := map[string]bool{}
	for _, user := range people {
		// Who can't be told to be a login can't approve either.
		if identity, err := d.Team.Identify(ctx, d.Team.Workspace, user); err == nil {
			here[strings.ToLower(identity.Login)] = true
		}
	}
	slices.Sort(logins)
	for _, login := range logins {
		switch {
		case strings.EqualFold(login, asker):
		case here[strings.ToLower(login)]:
			known = append(known, login)
		default:
			others = append(others, login)
		}
	}
	return known, others, nil
}
