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

// Identify tells who somebody is on GitHub: of the chat by what is known of
// them, at a terminal by their token.
func (d *Desk) Identify(ctx context.Context, a request.Asker) (team.Identity, error) {
	if a.Login != "" {
		return team.Identity{Login: a.Login, How: "by GITHUB_TOKEN"}, nil
	}
	identity, err := d.Team.Identify(ctx, a.Workspace, a.User)
	if waiting, ok := errors.AsType[*team.UnconfirmedError](err); ok {
		return identity, d.unconfirmed(ctx, waiting)
	}
	return identity, err
}

// Member tells which login somebody is and returns nil if that is a member of
// the team now.
func (d *Desk) Member(ctx context.Context, a request.Asker) (string, error) {
	identity, err := d.Identify(ctx, a)
	known := err == nil
	if known {
		err = d.Team.Member(ctx, identity.Login)
	}
	if err == nil && identity.Unconfirmed != nil { // they joined the team a moment ago
		err = d.Team.Unconfirmed(*identity.Unconfirmed, identity.Login)
	}
	if a.Login == "" {
		d.lately.note(a.Name(), known, err, d.now())
	}
	return identity.Login, err
}

// account tells which GitHub account has a login that somebody was found to be:
// people are told apart by it, for a login can change hands at any moment. 0: a
// terminal's, or of somebody without a login.
func (d *Desk) account(ctx context.Context, a request.Asker, login string) (int64, error) {
	if a.Login != "" || strings.HasPrefix(login, request.UnknownLogin) {
		return 0, nil
	}
	return d.Team.Account(ctx, a.Workspace, a.User, login)
}

// MayAsk tells who the asker is and returns nil if they may ask for the operation.
func (d *Desk) MayAsk(ctx context.Context, operation string, a request.Asker) (string, error) {
	terms := d.TermsOf(operation)
	if terms.Requesters != request.ByPlace || a.Login != "" {
		return d.Member(ctx, a)
	}
	if _, err := d.Team.Person(ctx, a.Workspace, a.User); err != nil {
		return "", err
	}
	if d.Present == nil {
		return "", &ops.Error{Kind: ops.Unavailable, What: "I can't tell who is in " + terms.Place + "."}
	}
	if err := d.Present(ctx, a.User, terms.Place); err != nil {
		return "", err
	}
	switch identity, err := d.Identify(ctx, a); {
	case err == nil:
		return identity.Login, nil
	case ops.KindOf(err) != ops.Refused:
		// Who they are isn't unknown, it can't be told just now.
		return "", err
	}
	// CloudTrail names them as the chat does.
	return request.UnknownLogin + a.User, nil
}

// Shows is MayAsk for showing things: GitHub's answer may be 30 seconds old.
func (d *Desk) Shows(ctx context.Context, operation string, a request.Asker) (string, error) {
	if d.TermsOf(operation).Requesters == request.ByPlace {
		return d.MayAsk(ctx, operation, a)
	}
	identity, err := d.Identify(ctx, a)
	if err != nil {
		return "", err
	}
	return identity.Login, d.Team.Shows(ctx, identity.Login)
}

// still returns nil if whoever asked and whoever approved a request still may,
// and still are who they were.
func (d *Desk) still(ctx context.Context, r request.Request) error {
	login, err := d.MayAsk(ctx, r.Operation, r.Asker)
	if err != nil {
		return of(requester, r.By, err)
	}
	if !strings.EqualFold(login, r.By) && !knownSince(r, login) {
		return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("The requester was %s on GitHub then and is %s now.", r.By, login)}
	}
	if err := d.stillHas(ctx, r.Asker, login, r.Account, requester); err != nil {
		return err
	}
	reviews := r.Reviews
	if r.Glass != nil && !r.Glass.Fallen {
		reviews = append(slices.Clone(reviews), *r.Glass)
	}
	for _, review := range reviews {
		who := request.Asker{Front: request.Chat, Workspace: d.Team.Workspace, User: review.User}
		if review.User == "" {
			who.Login = review.By
		}
		login, err := d.Member(ctx, who)
		if err != nil {
			return &lapsedError{review, of(approver, review.By, err)}
		}
		if !strings.EqualFold(login, review.By) {
			return &lapsedError{review, &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("The approver was %s on GitHub then and is %s now.", review.By, login)}}
		}
		if err := d.stillHas(ctx, who, login, review.Account, approver); err != nil {
			return &lapsedError{review, err}
		}
	}
	if r.Alone() && !d.mayBreak(r.Glass.By) {
		return &lapsedError{*r.Glass, &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("The bot's settings don't name %s under break_glass any more, who has this run without its approvals.", r.Glass.By)}}
	}
	return nil
}

// knownSince tells whether a requester of whom only their place in the chat was known
// has a login by now. They are who they were, unless that login's approval counts.
func knownSince(r request.Request, login string) bool {
	if r.Asker.User == "" || r.By != request.UnknownLogin+r.Asker.User {
		return false
	}
	decided := slices.Clone(r.Reviews)
	if r.Glass != nil {
		decided = append(decided, *r.Glass)
	}
	return !slices.ContainsFunc(decided, request.Review{By: login}.Same)
}

// mayBreak tells whether the settings let a login have something run alone.
func (d *Desk) mayBreak(login string) bool {
	return slices.ContainsFunc(d.BreakGlass, func(named string) bool { return strings.EqualFold(named, login) })
}

// stillHas returns nil if a login is of the account that it was of when somebody
// asked or approved; 0 is one that wasn't known then.
func (d *Desk) stillHas(ctx context.Context, a request.Asker, login string, then int64, what string) error {
	if then == 0 {
		return nil
	}
	now, err := d.account(ctx, a, login)
	if err != nil {
		return of(what, login, err)
	}
	if now != then {
		return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("On GitHub %s %s is another account now than then.", what, login)}
	}
	return nil
}

// The parts in a request of people whose rights are asked about again.
const (
	requester = "the requester"
	approver  = "the approver"
)

// of says whom a refusal is about that others read.
func of(what, login string, err error) error {
	refused, ok := errors.AsType[*ops.Error](err)
	if !ok {
		return err
	}
	who := what
	if !strings.HasPrefix(login, request.UnknownLogin) {
		who += " " + login
	}
	told := *refused
	if refused.Of == "" {
		told.What = fmt.Sprintf("This is about %s: %s", who, refused.What)
	} else {
		told.What, told.Of, told.Next = strings.Replace(who, "the", "The", 1)+" "+refused.Of, "", ""
	}
	return &told
}

// Refuse records that somebody was refused before there was a request: what
// they tried, and why not.
func (d *Desk) Refuse(ctx context.Context, a request.Asker, tried, why string) error {
	d.Meter.Refused("command")
	by := a.Login
	if by == "" {
		by = a.Name()
	}
	return d.Store.Record(ctx, request.Event{At: d.now(), Kind: "refused", By: by, Data: map[string]any{"tried": tried, "reason": why}})
}
