package bot

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// MayBegin returns nil if somebody may begin to prove who they are on GitHub.
func (d *Desk) MayBegin(ctx context.Context, a request.Asker) error {
	person, err := d.Team.Person(ctx, a.Workspace, a.User)
	if err != nil {
		return err
	}
	switch login, err := d.Team.Listed(person); {
	case err != nil:
		return err
	case login != "":
		return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("The bot's settings say that you are %s on GitHub, and they win over a link.", login)}
	}
	if d.Team.Device.ClientID == "" || d.Team.Links == nil {
		return &ops.Error{Kind: ops.Refused, What: "Linking isn't switched on here: the settings have no github.client_id.", Next: "Ask in " + d.Team.Channel + " to be added to the bot's identities."}
	}
	link, err := d.Team.LinkOf(ctx, person)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && d.lapsedLink(link):
		return nil
	case err != nil:
		return err
	}
	what := fmt.Sprintf("You have linked the GitHub account %s on %s already.", link.Login, link.At.Format("2 Jan 2006"))
	if !link.Asked.IsZero() && !link.Counts() {
		what += " It waits for another member to confirm it, in " + d.Team.Channel + "."
	}
	return &ops.Error{Kind: ops.Refused, What: what, Next: "To link another one, type `/rootbot unlink` first."}
}

// Link ties a Slack user to the GitHub account that they have proved to be theirs. It
// takes the place of another person's link to that account: who can prove it now
// has it. To GitHub, a code that was typed for somebody else looks the same, so a
// link to the account of a member of the team counts only once another member has
// confirmed it, which the log channel is asked for. A claim to an account that the
// settings give to somebody is refused, and its owner told.
func (d *Desk) Link(ctx context.Context, a request.Asker, account team.Account) error {
	owner, err := d.Team.MayLink(ctx, a.Workspace, a.User, account)
	if err != nil {
		return errors.Join(err, d.claimed(ctx, a, owner, account, ops.Words(err, "")))
	}
	link := store.Link{Workspace: a.Workspace, User: a.User, GitHub: account.ID, Login: account.Login, At: d.now(), How: team.HowDevice}
	switch err := d.Team.Member(ctx, account.Login); {
	case err != nil && ops.KindOf(err) != ops.Refused:
		return err // perhaps a member, of whom nobody would read
	case err == nil:
		link.Asked = link.At
	}
	for {
		var over []store.Link
		for _, read := range []func() (store.Link, error){
			func() (store.Link, error) { return d.Store.LinkTo(ctx, account.ID) },
			func() (store.Link, error) { return d.Store.LinkOf(ctx, a.Workspace, a.User) },
		} {
			switch old, err := read(); {
			case errors.Is(err, store.ErrNotFound):
			case err != nil:
				return err
			case old.User == a.User && old.Workspace == a.Workspace && !d.lapsedLink(old):
				return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("You have linked the GitHub account %s already.", old.Login)}
			case len(over) == 0 || over[0].Key() != old.Key():
				over = append(over, old)
			}
		}
		err := d.Store.AddLink(ctx, link, d.linked(a, link, over), over...)
		if _, taken := errors.AsType[*store.ClaimedError](err); taken || errors.Is(err, store.ErrLost) {
			continue // by another proof, at the same moment
		}
		if err == nil {
			d.lately.forget(a.Name())
		}
		return err
	}
}

// linked is the record and the messages of a new link, and of those that it replaces.
func (d *Desk) linked(a request.Asker, link store.Link, over []store.Link) request.Change {
	e := request.Event{At: link.At, Kind: "linked", By: link.Login, Data: map[string]any{
		"user": a.Name(), "github": link.Login, "github_id": link.GitHub, "how": link.How,
	}}
	var c request.Change
	for _, old := range over {
		whose := ownerOf(old)
		if old.GitHub == link.GitHub {
			e.Data["before"] = whose.Name()
		}
		if old.User != link.User {
			c.Messages = append(c.Messages, request.Message{Kind: request.Letter, Body: request.Body{For: &whose, About: &a, Text: fmt.Sprintf(
				"has typed a code in the GitHub account %s, so your link to it has ended and theirs has begun. If you both are one person, all is well. Otherwise somebody else can sign in to that account, or had you type a code: tell %s, and type `/rootbot link` to prove it again.", link.Login, d.Team.Channel)}})
		}
		if !old.Asked.IsZero() {
			c.Messages = append(c.Messages, gone(old, fmt.Sprintf("It ended at %s, when the account was proved anew.", utc(link.At))))
		}
	}
	if !link.Asked.IsZero() {
		c.Messages = append(c.Messages, linking(link))
	}
	c.Events = []request.Event{e}
	return c
}

// claimed records a claim that was refused, and tells the owner, if there is one.
func (d *Desk) claimed(ctx context.Context, a request.Asker, owner string, account team.Account, why string) error {
	change := request.Change{Events: []request.Event{{
		At: d.now(), Kind: "claimed", By: a.Name(),
		Data: map[string]any{"github": account.Login, "github_id": account.ID, "owner": owner, "reason": why},
	}}}
	if owner != "" {
		whose := request.Asker{Front: a.Front, Workspace: a.Workspace, User: owner}
		change.Messages = []request.Message{{Kind: request.Letter, Body: request.Body{For: &whose, About: &a, Text: fmt.Sprintf(
			"has typed a code in the GitHub account %s, which is yours, to be known as it here. That was refused. If it wasn't you, somebody else can sign in to that account, or had you type a code: tell %s.", account.Login, d.Team.Channel)}}}
	}
	return d.Store.Tell(ctx, change)
}

// Unlink forgets which GitHub account somebody has proved to be theirs, and
// returns its login as it was then.
func (d *Desk) Unlink(ctx context.Context, a request.Asker) (string, error) {
	person, err := d.Team.Person(ctx, a.Workspace, a.User)
	if err != nil {
		return "", err
	}
	link, err := d.Team.LinkOf(ctx, person)
	if err == nil {
		c := request.Change{Events: []request.Event{{
			At: d.now(), Kind: "unlinked", By: a.Name(), Data: map[string]any{"github": link.Login, "github_id": link.GitHub},
		}}}
		if !link.Asked.IsZero() {
			c.Messages = []request.Message{gone(link, fmt.Sprintf("They ended it at %s.", utc(d.now())))}
		}
		err = d.Store.EndLink(ctx, link, c)
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrLost) {
		return "", &ops.Error{Kind: ops.Refused, What: "You have linked no GitHub account."}
	}
	return link.Login, err
}
