package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// MayProve returns nil if a person may be given a code to prove who they are anew,
// and an *ops.Error that says why not otherwise.
func (d *Desk) MayProve(ctx context.Context, a request.Asker) error {
	if d.FreshProof > 0 {
		_, err := d.Member(ctx, a)
		return err
	}
	no := &ops.Error{Kind: ops.Refused, What: "No decision needs a new proof here: the settings have no fresh_proof."}
	all, err := d.Store.Processes(ctx)
	if err != nil {
		return err
	}
	self := d.process()
	other := func(p store.Process) bool { return p.Only == "" && !maps.Equal(p.Operations, self.Operations) }
	if d.Store.Shared() && d.chosen(all, other) != "" {
		no.What = "The bot that has answered you asks for no new proof: its settings have no fresh_proof. Another bot, with other settings, runs beside it."
		no.Next = "If you were asked for a new proof, type `/rootbot prove` again: the other one may answer then."
	}
	return no
}

// Prove records that a person has signed in to a GitHub account just now. It must be
// the account that they have here; until then Fresh lets them decide.
func (d *Desk) Prove(ctx context.Context, a request.Asker, account team.Account) (until time.Time, err error) {
	login, err := d.Member(ctx, a)
	if err != nil {
		return time.Time{}, err
	}
	known, err := d.account(ctx, a, login)
	if err != nil {
		return time.Time{}, err
	}
	proof := store.Proof{Workspace: a.Workspace, User: a.User, GitHub: account.ID, Login: account.Login, At: d.now()}
	if !proves(proof, known, login) {
		return time.Time{}, &ops.Error{
			Kind: ops.Refused, What: fmt.Sprintf("You are %s on GitHub here, and the code was typed in as %s.", login, account.Login),
			Next: "Type `/rootbot prove` again, and the code in your own account.",
		}
	}
	err = d.Store.AddProof(ctx, proof, request.Change{Events: []request.Event{{
		At: proof.At, Kind: "proved", By: login, Data: map[string]any{"user": a.Name(), "github": account.Login, "github_id": account.ID, "how": team.HowDevice},
	}}})
	return proof.At.Add(d.FreshProof), err
}

// proves tells whether a proof is of the account that a person has here: by its
// number, or by its login where GitHub doesn't tell the number.
func proves(p store.Proof, account int64, login string) bool {
	if account != 0 {
		return p.GitHub == account
	}
	return strings.EqualFold(p.Login, login)
}

// Fresh returns nil if a decision needs no new proof of who makes it, or if that
// person, who is the login here, has given one within FreshProof.
func (d *Desk) Fresh(ctx context.Context, r request.Request, verb string, a request.Asker, login string) error {
	_, err := d.proved(ctx, r, verb, a, login)
	return err
}

// proved is Fresh, and tells when that proof was given; zero: the decision needs none.
func (d *Desk) proved(ctx context.Context, r request.Request, verb string, a request.Asker, login string) (time.Time, error) {
	o, _ := d.Operation(r.Operation)
	if d.FreshProof <= 0 || verb != request.BreakGlass && (!o.Dangerous || verb != request.Approve && verb != request.QuarantineAgain) {
		return time.Time{}, nil
	}
	account, err := d.account(ctx, a, login)
	if err != nil {
		return time.Time{}, err
	}
	person, err := d.Team.Person(ctx, a.Workspace, a.User)
	if err != nil {
		return time.Time{}, err
	}
	for _, id := range person.IDs {
		proof, err := d.Store.ProofOf(ctx, a.Workspace, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return time.Time{}, err
		case proves(proof, account, login) && d.now().Before(proof.At.Add(d.FreshProof)):
			return proof.At, nil
		}
	}
	return time.Time{}, &ops.Error{
		Kind: ops.Refused, What: "That needs a new proof that you are " + login + " on GitHub.",
		Next: fmt.Sprintf("Type `/rootbot prove`, then press the button again within %s.", ops.Span(d.FreshProof)),
	}
}
