package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// tooFew says that the bot doesn't know enough members of the team for the approvals
// that a plan needs, and who could be known; empty: it does, or that can't be told.
// Single sign-on names people only once they come, so it says nothing where that is on.
func (d *Desk) tooFew(ctx context.Context, r store.Request, plan ops.Plan) string {
	need, _ := d.TermsOf(r.Operation).need(plan)
	if need == 0 || r.Preview || r.Asker.Login != "" || d.Team == nil || len(d.Team.SAML.Domains) > 0 {
		return ""
	}
	members, err := d.Members(ctx)
	if err != nil {
		d.Log.Warn("find out who can approve", "request", r.ID, "error", err)
		return ""
	}
	isAsker := func(login string) bool { return strings.EqualFold(login, r.By) }
	var known []string
	for _, login := range members {
		if !isAsker(login) && !slices.Contains(known, login) {
			known = append(known, login)
		}
	}
	if len(known) >= need {
		return ""
	}
	logins, err := d.Team.Logins(ctx)
	if err != nil {
		d.Log.Warn("find out who could approve", "request", r.ID, "error", err)
		return ""
	}
	others := slices.DeleteFunc(logins, func(login string) bool {
		return isAsker(login) || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, login) })
	})
	slices.Sort(known)
	slices.Sort(others)
	who := "no member who can approve."
	switch n := len(known); {
	case n == 1:
		who = "1 member who can approve: " + known[0] + "."
	case n > 1:
		who = fmt.Sprintf("%d members who can approve: %s.", n, strings.Join(known, ", "))
	}
	text := fmt.Sprintf("This needs %s, and the bot knows %s ", approvals(need), who)
	if len(others) == 0 {
		return text + fmt.Sprintf("The team %s has no other member: add one on GitHub.", d.Team.Name())
	}
	how := "ask the operator of the bot to add them to its identities"
	if d.Team.Device.ClientID != "" {
		how = "ask them to type `/rootbot link`, or the operator of the bot to add them to its identities"
	}
	return text + fmt.Sprintf("The bot doesn't know who in Slack is %s: %s.", oneOf(others), how)
}
