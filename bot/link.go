package bot

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// MayBegin returns nil if somebody may begin to prove who they are on GitHub.
func (d *Desk) MayBegin(ctx context.Context, a store.Asker) error {
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
	case err == nil:
		return &ops.Error{
			Kind: ops.Refused,
			What: fmt.Sprintf("You have linked the GitHub account %s on %s already.", link.Login, link.At.Format("2 Jan 2006")),
			Next: "To link another one, type `/rootbot unlink` first.",
		}
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return nil
}

// Link ties somebody to the GitHub account that they have proved to be theirs.
// Members of the team read of it, for a code that was typed for somebody else
// looks the same to GitHub. A claim to what is somebody else's is refused, and
// its owner told.
func (d *Desk) Link(ctx context.Context, a store.Asker, account team.Account) error {
	owner, err := d.Team.MayLink(ctx, a.Workspace, a.User, account)
	if err != nil {
		return errors.Join(err, d.claimed(ctx, a, owner, account, ops.Words(err, "")))
	}
	change := store.Change{Events: []store.Event{{
		At: d.now(), Kind: "linked", By: account.Login,
		Data: map[string]any{"user": nameOf(a), "github": account.Login, "github_id": account.ID, "how": team.HowDevice},
	}}}
	switch err := d.Team.Member(ctx, account.Login); {
	case err != nil && ops.KindOf(err) != ops.Refused:
		return err // perhaps a member, of whom nobody would read
	case err == nil:
		change.Messages = append(change.Messages, store.Message{Kind: store.Announce, Body: store.Body{For: &a, Text: fmt.Sprintf(
			"is from now on known as the GitHub login %s, a member of the team %s: they typed a code in that account. If that isn't theirs, its owner was tricked into typing it: stop the bot, and tell whoever runs it.", account.Login, d.Team.Name())}})
	}
	err = d.Store.AddLink(ctx, store.Link{Workspace: a.Workspace, User: a.User, GitHub: account.ID, Login: account.Login, At: d.now(), How: team.HowDevice}, change)
	if claimed, ok := errors.AsType[*store.ClaimedError](err); ok {
		if claimed.Link.User == a.User && claimed.Link.Workspace == a.Workspace {
			return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("You have linked the GitHub account %s already.", claimed.Link.Login)}
		}
		refused := &ops.Error{
			Kind: ops.Refused,
			What: fmt.Sprintf("The GitHub account %s is linked to somebody else, who has been told.", account.Login),
			Next: "If it is yours, ask in " + d.Team.Channel + ".",
		}
		return errors.Join(refused, d.claimed(ctx, a, claimed.Link.User, account, refused.What))
	}
	if err == nil {
		d.lately.forget(nameOf(a))
	}
	return err
}

// claimed records a claim that was refused, and tells the owner, if there is one.
func (d *Desk) claimed(ctx context.Context, a store.Asker, owner string, account team.Account, why string) error {
	change := store.Change{Events: []store.Event{{
		At: d.now(), Kind: "claimed", By: nameOf(a),
		Data: map[string]any{"github": account.Login, "github_id": account.ID, "owner": owner, "reason": why},
	}}}
	if owner != "" {
		whose := store.Asker{Front: a.Front, Workspace: a.Workspace, User: owner}
		change.Messages = []store.Message{{Kind: store.Letter, Body: store.Body{For: &whose, About: &a, Text: fmt.Sprintf(
			"has typed a code in the GitHub account %s, which is yours, to be known as it here. That was refused. If it wasn't you, somebody else can sign in to that account, or had you type a code: tell %s.", account.Login, d.Team.Channel)}}}
	}
	return d.Store.Tell(ctx, change)
}

// Unlink forgets which GitHub account somebody has proved to be theirs, and
// returns its login as it was then.
func (d *Desk) Unlink(ctx context.Context, a store.Asker) (string, error) {
	person, err := d.Team.Person(ctx, a.Workspace, a.User)
	if err != nil {
		return "", err
	}
	link, err := d.Team.LinkOf(ctx, person)
	if err == nil {
		err = d.Store.RemoveLink(ctx, link.Workspace, link.User, store.Change{Events: []store.Event{{
			At: d.now(), Kind: "unlinked", By: nameOf(a), Data: map[string]any{"github": link.Login, "github_id": link.GitHub},
		}}})
	}
	if errors.Is(err, store.ErrNotFound) {
		return "", &ops.Error{Kind: ops.Refused, What: "You have linked no GitHub account."}
	}
	return link.Login, err
}
