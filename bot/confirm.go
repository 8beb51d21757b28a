package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// A link to the account of a member gives all of the member's rights, and the code
// that proves it may have been typed by a member who was tricked. So it takes a
// second member, who knows both of them: one button in the log channel names the
// Slack account and the GitHub account. No press within a day is a no.

// What a member can do about a link: the verbs of its buttons.
const (
	ConfirmsLink = "link-confirm"
	RevokesLink  = "link-revoke"
)

// confirmWithin is how long members may take to confirm a link.
const confirmWithin = 24 * time.Hour

// ConfirmTill is until when members may confirm a link.
func ConfirmTill(l store.Link) time.Time { return l.Asked.Add(confirmWithin) }

// lapsedLink tells whether the time to confirm a link has passed: it may be proved anew.
func (d *Desk) lapsedLink(l store.Link) bool {
	return l.Confirmed.IsZero() && !l.Asked.IsZero() && !d.now().Before(ConfirmTill(l))
}

func utc(t time.Time) string { return t.UTC().Format("2 Jan 15:04") + " UTC" }

// ownerOf is the person of the chat whose link it is.
func ownerOf(l store.Link) request.Asker {
	return request.Asker{Front: request.Chat, Workspace: l.Workspace, User: l.User}
}

// linking has the log channel told of a link as it is when the message is delivered.
func linking(l store.Link) request.Message { return gone(l, "") }

// gone is linking for a link that has ended, and how.
func gone(l store.Link, how string) request.Message {
	whose := ownerOf(l)
	if how != "" {
		how = fmt.Sprintf("was linked to the GitHub account %s (ID %d). %s", l.Login, l.GitHub, how)
	}
	return request.Message{Kind: request.Linking, Body: request.Body{Other: l.Key(), For: &whose, Text: how}}
}

// unconfirmed says what a link waits for, and has the log channel asked to confirm
// it if it wasn't: the account has become a member's since it was linked.
func (d *Desk) unconfirmed(ctx context.Context, waiting *team.UnconfirmedError) error {
	link := waiting.Link
	if link.Asked.IsZero() {
		link.Asked = d.now()
		if err := d.Store.AskAboutLink(ctx, link, link.Asked, request.Change{Messages: []request.Message{linking(link)}}); err != nil && !errors.Is(err, store.ErrLost) {
			return err
		}
	}
	no := &ops.Error{Kind: ops.Refused, Err: waiting, Of: "has a link to GitHub that no other member has confirmed.", What: fmt.Sprintf(
		"You have proved that the GitHub account %s is yours. It is a member of the team %s, so your link doesn't count before another member confirms it.", waiting.Login, d.Team.Name())}
	switch confirmers, all := d.confirmers(ctx, link, waiting.Login); {
	case !link.Confirmed.IsZero():
		no.What = fmt.Sprintf("Your link to the GitHub account %s is confirmed, and %s hasn't been told of it yet.", waiting.Login, d.Team.Channel)
		no.Next = "Try again in a minute."
	case d.lapsedLink(link):
		no.What += fmt.Sprintf(" No member did by %s.", utc(ConfirmTill(link)))
		no.Next = "Type `/rootbot link` to prove it again."
	case len(confirmers) > 0:
		no.Next = fmt.Sprintf("Ask %s to press the button under the message about you in %s, by %s.", oneOf(confirmers), d.Team.Channel, utc(ConfirmTill(link)))
	case !all || len(d.Team.SAML.Domains) > 0:
		no.Next = fmt.Sprintf("Ask another member to press the button under the message about you in %s, by %s.", d.Team.Channel, utc(ConfirmTill(link)))
	default:
		no.What += " The bot knows no other member."
		no.Next = fmt.Sprintf("Ask the operator of the bot to add you to its identities, or to run `rootbot link confirm %s`.", waiting.Login)
	}
	return no
}

// confirmers are the logins of the members who can confirm a link and whom the bot
// knows without asking single sign-on. all: the chat and GitHub told who they are.
func (d *Desk) confirmers(ctx context.Context, l store.Link, login string) (logins []string, all bool) {
	members, err := d.Members(ctx)
	for _, user := range slices.Sorted(maps.Keys(members)) {
		member := members[user]
		known := func(other string) bool { return strings.EqualFold(other, member) }
		if user != l.User && !known(login) && !slices.ContainsFunc(logins, known) {
			logins = append(logins, member)
		}
	}
	slices.Sort(logins)
	return logins, err == nil
}

// oneOf lists some logins of whom any will do.
func oneOf(logins []string) string {
	const few = 8
	if len(logins) > few {
		logins = append(slices.Clone(logins[:few]), "another member")
	}
	if n := len(logins); n > 1 {
		return strings.Join(logins[:n-1], ", ") + " or " + logins[n-1]
	}
	return strings.Join(logins, "")
}

// aboutLink answers a click on a button of a link.
func (d *Desk) aboutLink(ctx context.Context, c request.Click) error {
	link, err := d.AboutLink(ctx, c)
	if _, said := errors.AsType[*ops.Error](err); err != nil && !said {
		return err // perhaps it was written: it is answered again
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return d.refuseClick(ctx, request.Request{}, c, "", "refused", ops.WordsChanged(err, "", ops.ChangedNothing))
	}
	d.Log.Info(c.Verb, "user", link.User, "github", link.Login, "by", c.Asker.Name())
	return nil
}

// AboutLink does with a link what a member's click says, whose Digest is the link's
// Key, and returns the link as it was. The change and the words to the member
// are written at once.
func (d *Desk) AboutLink(ctx context.Context, c request.Click) (store.Link, error) {
	a, verb := c.Asker, c.Verb
	link, err := d.linkBy(ctx, a.Workspace, c.Digest)
	if err != nil {
		return store.Link{}, err
	}
	own := false
	if person, err := d.Team.Person(ctx, a.Workspace, a.User); err == nil {
		own = slices.Contains(person.IDs, link.User)
	}
	login := a.Name()
	if verb != RevokesLink || !own {
		if login, err = d.Member(ctx, a); err != nil {
			return link, err
		}
	}
	if verb == RevokesLink {
		err = d.Store.EndLink(ctx, link, answered(LinkRevoked(link, login, d.now()), c, link,
			fmt.Sprintf("is not linked to the GitHub account %s any more: you have revoked the link.", link.Login)))
	} else if err = d.mayConfirm(ctx, a, link, login, own); err == nil {
		err = d.Store.ConfirmLink(ctx, link, login, d.now(), answered(LinkConfirmed(link, login, d.now()), c, link,
			fmt.Sprintf("is %s on GitHub: you have confirmed it, and they act with the rights of %s from now on.", link.Login, link.Login)))
	}
	switch {
	case errors.Is(err, store.ErrLost):
		return link, &ops.Error{Kind: ops.Refused, What: "Another member was faster."}
	case err == nil:
		d.lately.forget(ownerOf(link).Name())
	}
	return link, err
}

// answered is a change that a click makes to a link, with what the person who clicked
// is told: a sentence without its subject, who is the owner of the link.
func answered(change request.Change, c request.Click, l store.Link, told string) request.Change {
	whose := ownerOf(l)
	change.Done = c.ID
	change.Messages = append(change.Messages, request.Message{Thread: c.Thread(), Kind: request.Private, Body: request.Body{Text: told, About: &whose, For: &c.Asker}})
	return change
}

// linkBy finds the link of a Key.
func (d *Desk) linkBy(ctx context.Context, workspace, key string) (store.Link, error) {
	links, err := d.Store.Links(ctx, workspace)
	if err != nil {
		return store.Link{}, err
	}
	if i := slices.IndexFunc(links, func(l store.Link) bool { return l.Key() == key }); i >= 0 && workspace != "" {
		return links[i], nil
	}
	return store.Link{}, &ops.Error{Kind: ops.Refused, What: "That link has ended."}
}

// mayConfirm returns nil if a member may confirm a link now.
func (d *Desk) mayConfirm(ctx context.Context, a request.Asker, l store.Link, login string, own bool) error {
	account, err := d.account(ctx, a, login)
	if err != nil {
		return err
	}
	no := &ops.Error{Kind: ops.Refused}
	switch {
	case !l.Confirmed.IsZero():
		no.What = fmt.Sprintf("%s confirmed it at %s already.", l.ConfirmedBy, utc(l.Confirmed))
	case own:
		no.What = "It is your own link, so another member must confirm it."
	case account == l.GitHub || strings.EqualFold(login, l.Login):
		no.What = fmt.Sprintf("You are %s yourself, so another member must confirm the link.", login)
		no.Next = "If the Slack account isn't yours, revoke the link."
	case d.lapsedLink(l):
		no.What = fmt.Sprintf("That comes too late: it could be confirmed until %s.", utc(ConfirmTill(l)))
		no.Next = "Ask the linker to type `/rootbot link` again."
	default:
		return nil
	}
	return no
}

// LinkConfirmed is the record and the messages of a link that a member, or the
// operator, confirms.
func LinkConfirmed(l store.Link, by string, at time.Time) request.Change {
	whose := ownerOf(l)
	return request.Change{
		Events: []request.Event{{At: at, Kind: "link-confirmed", By: by, Data: map[string]any{"user": whose.Name(), "github": l.Login, "github_id": l.GitHub}}},
		Messages: []request.Message{linking(l), {Kind: request.Letter, Body: request.Body{For: &whose, Text: fmt.Sprintf(
			"Your link to the GitHub account %s counts from now on: %s confirmed it at %s.", l.Login, by, utc(at))}}},
	}
}

// LinkRevoked is the record and the messages of a link that a member, or the operator,
// takes away.
func LinkRevoked(l store.Link, by string, at time.Time) request.Change {
	whose := ownerOf(l)
	return request.Change{
		Events: []request.Event{{At: at, Kind: "link-revoked", By: by, Data: map[string]any{"user": whose.Name(), "github": l.Login, "github_id": l.GitHub}}},
		Messages: []request.Message{gone(l, fmt.Sprintf("%s revoked the link at %s.", by, utc(at))), {Kind: request.Letter, Body: request.Body{For: &whose, Text: fmt.Sprintf(
			"%s revoked your link to the GitHub account %s at %s. If it is yours, type `/rootbot link` to prove it again.", by, l.Login, utc(at))}}},
	}
}

// listLinks has the log channel told, once, of the links that stand since before
// links were confirmed: they count, and members may revoke them.
func (d *Desk) listLinks(ctx context.Context) error {
	if d.Team == nil || d.Team.Links == nil || d.Team.Workspace == "" {
		return nil
	}
	links, err := d.Store.Links(ctx, d.Team.Workspace)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.ConfirmedBy != store.ByUpgrade || !l.Asked.IsZero() {
			continue
		}
		if err := d.Store.AskAboutLink(ctx, l, d.now(), request.Change{Messages: []request.Message{linking(l)}}); err != nil && !errors.Is(err, store.ErrLost) {
			return err
		}
	}
	return nil
}
