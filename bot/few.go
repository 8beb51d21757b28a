package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/team"
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
	members, err := d.approvers(ctx, r.By)
	if err != nil {
		d.Log.Warn("find out who can approve", "request", r.ID, "error", err)
	}
	if err != nil || len(members.known) >= need {
		return ""
	}
	who := "no member who can approve."
	switch n := len(members.known); {
	case n == 1:
		who = "1 member who can approve: " + members.known[0] + "."
	case n > 1:
		who = fmt.Sprintf("%d members who can approve: %s.", n, strings.Join(members.known, ", "))
	}
	text := fmt.Sprintf("This needs %s, and the bot knows %s", request.Approvals(need), who)
	for _, login := range members.linking {
		text += fmt.Sprintf(" %s has proved to have that GitHub account: another member must confirm the link in %s.", login, d.Team.Channel)
	}
	switch {
	case len(members.others) == 0 && len(members.linking) > 0:
		return text
	case len(members.others) == 0:
		return text + fmt.Sprintf(" The team %s has no other member: add one on GitHub.", d.Team.Name())
	}
	how := "ask the operator of the bot to add them to its identities"
	if d.Team.Device.ClientID != "" {
		how = "ask them to type `/rootbot link`, or the operator of the bot to add them to its identities"
	}
	return text + fmt.Sprintf(" The bot doesn't know who in Slack is %s: %s.", oneOf(members.others), how)
}

// approvers are logins of members of the team, sorted.
type approvers struct {
	known   []string // whom the bot knows in the chat
	linking []string // who have proved who they are, and wait for another member to confirm it
	others  []string
}

// approvers are the members of the team but the asker, as GitHub lists them now. Where
// the chat or GitHub doesn't say who one is whom the bot may know, that is an error.
func (d *Desk) approvers(ctx context.Context, asker string) (approvers, error) {
	var members approvers
	logins, err := d.Team.Logins(ctx)
	if err != nil {
		return members, err
	}
	here, linking, err := d.identified(ctx)
	if err != nil {
		return members, err
	}
	slices.Sort(logins)
	for _, login := range logins {
		switch lower := strings.ToLower(login); {
		case strings.EqualFold(login, asker):
		case here[lower]:
			members.known = append(members.known, login)
		case linking[lower]:
			members.linking = append(members.linking, login)
		default:
			members.others = append(members.others, login)
		}
	}
	return members, nil
}

// identified are the logins, in small letters, of the people whom the settings or a
// link name, and of those whose link waits to be confirmed.
func (d *Desk) identified(ctx context.Context) (here, linking map[string]bool, err error) {
	people, err := d.Team.Known(ctx)
	if err != nil {
		return nil, nil, err
	}
	links, err := d.Store.Links(ctx, d.Team.Workspace)
	if err != nil {
		return nil, nil, err
	}
	for _, link := range links {
		if !link.Counts() && !slices.Contains(people, link.User) {
			people = append(people, link.User)
		}
	}
	here, linking = map[string]bool{}, map[string]bool{}
	for _, user := range people {
		identity, err := d.Team.Identify(ctx, d.Team.Workspace, user)
		waiting, waits := errors.AsType[*team.UnconfirmedError](err)
		switch {
		case err == nil:
			here[strings.ToLower(identity.Login)] = true
		case waits && !waiting.Link.Confirmed.IsZero(): // it counts as soon as the channel is told
			here[strings.ToLower(waiting.Login)] = true
		case waits && !d.lapsedLink(waiting.Link):
			linking[strings.ToLower(waiting.Login)] = true
		case ops.KindOf(err) != ops.Refused:
			return nil, nil, err
		}
	}
	return here, linking, nil
}
