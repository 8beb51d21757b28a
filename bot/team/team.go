// Package team answers who may: which GitHub login a person of the chat is, by
// a proof, and whether that login is an active member of the team, by asking
// GitHub each time. What isn't known, or known in two ways, is refused.
package team

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Team is the GitHub team whose members may.
type Team struct {
	GitHub       *github.Client
	Organization string
	Slug         string

	// Workspace is the one that all people are of. Empty: not known yet, and
	// nobody of the chat is let in.
	Workspace string

	// People tells what the chat says of somebody, as of now. Nil: nobody of the
	// chat is let in.
	People func(ctx context.Context, user string) (Person, error)

	// Identities is the GitHub login by the person's ID in the chat. It is
	// reviewed by whoever reviews the settings, and wins over all else.
	Identities map[string]string

	// Links are what people have proved. Nil: nothing.
	Links *store.Store

	// Device is how people prove which GitHub account is theirs; its zero value:
	// they can't.
	Device Device

	// SAML is how the organisation knows people; its zero value: it doesn't.
	SAML SAML

	// Channel is where people are sent who are refused: its name, with #.
	Channel string

	lately lately
	roll   roll
}

// Name is the team's full name: organization/slug.
func (t *Team) Name() string { return t.Organization + "/" + t.Slug }

// Identity is which GitHub login a person of the chat is, and how that is known.
type Identity struct {
	Login string
	How   string // in words: "by the bot's settings"

	// Unconfirmed is the link that says so, if it gives no one the rights of a member
	// yet. Nil: there is none, or it counts.
	Unconfirmed *store.Link
}

// Identify tells which GitHub login the person with this ID in a workspace is.
// They must be a full member of the bot's workspace. The settings say it, or
// else a link that they have proved, or else the organisation's SAML identity.
func (t *Team) Identify(ctx context.Context, workspace, user string) (Identity, error) {
	person, err := t.Person(ctx, workspace, user)
	if err != nil {
		return Identity{}, err
	}
	login, err := t.Listed(person)
	switch {
	case err != nil:
		return Identity{}, err
	case login != "":
		return Identity{Login: login, How: "by the bot's settings"}, nil
	}
	for _, know := range []func(context.Context, Person) (Identity, error){t.linked, t.external} {
		identity, err := know(ctx, person)
		if waiting, ok := errors.AsType[*UnconfirmedError](err); ok {
			// Single sign-on may say the same, and needs no confirmation.
			if known, unknown := t.external(ctx, person); unknown == nil && strings.EqualFold(known.Login, waiting.Login) {
				identity, err = known, nil
			}
		}
		if err != nil {
			return Identity{}, err
		}
		if identity.Login == "" {
			continue
		}
		if owner := t.named(identity.Login); owner != "" {
			return Identity{}, refused(
				fmt.Sprintf("The bot's settings say that the GitHub login %s is somebody else, so I can't tell who you are.", identity.Login),
				fmt.Sprintf("has the GitHub login %s, which the bot's settings give to somebody else.", identity.Login),
				"Ask in "+t.Channel+" to have the bot's identities corrected.")
		}
		return identity, nil
	}
	next := "Ask in " + t.Channel + " to be added to the bot's identities."
	if t.Device.ClientID != "" {
		next = "Type `/rootbot link` to prove it, or ask in " + t.Channel + " to be added to the bot's identities."
	}
	return Identity{}, refused(fmt.Sprintf("I don't know which GitHub login you are, so I can't tell whether you belong to the GitHub team %s.", t.Name()), "isn't known on GitHub any more.", next)
}

// Listed tells which login the settings give a person, under any of their IDs;
// empty: none. Two logins for one person are an error.
func (t *Team) Listed(person Person) (string, error) {
	login := ""
	for _, id := range person.IDs {
		switch listed := t.Identities[id]; {
		case login != "" && listed != "" && !strings.EqualFold(login, listed):
			return "", refused(
				fmt.Sprintf("The bot's settings say that you are %s and %s on GitHub: Slack knows you by both IDs %s. So I can't tell who you are.", login, listed, strings.Join(person.IDs, " and ")),
				fmt.Sprintf("is both %s and %s on GitHub by the bot's settings.", login, listed),
				"Ask in "+t.Channel+" to have the bot's identities corrected.")
		case listed != "":
			login = listed
		}
	}
	return login, nil
}

// named tells whom the settings give a login; empty: nobody.
func (t *Team) named(login string) string {
	for user, named := range t.Identities {
		if user != "" && strings.EqualFold(named, login) {
			return user
		}
	}
	return ""
}

// Account tells which account somebody is whom Identify says to be a login:
// its number, which stays whatever the login becomes.
// https://docs.github.com/en/rest/users/users#get-a-user
func (t *Team) Account(ctx context.Context, workspace, user, login string) (int64, error) {
	if t.Identities[user] == "" && t.Links != nil {
		link, err := t.Links.LinkOf(ctx, workspace, user)
		switch {
		case err == nil && strings.EqualFold(link.Login, login):
			return link.GitHub, nil
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return 0, t.unknown(err, login)
		} // a link to another login is old, or the settings name the person under another ID
	}
	account, _, err := t.GitHub.Users.Get(ctx, login)
	switch {
	case githubaccess.NotFound(err), err == nil && account.GetID() == 0:
		// It was renamed or deleted a moment ago; or GitHub shows the bot
		// memberships and no users, and then the login has to do.
		return 0, t.Member(ctx, login)
	case err != nil:
		return 0, t.unknown(err, login)
	}
	return account.GetID(), nil
}

// refused words a refusal for the person (what) and for other readers (of).
func refused(what, of, next string) error {
	return &ops.Error{Kind: ops.Refused, What: what, Of: of, Next: next}
}

// Member returns nil if the login is an active member of the team now, child
// teams included, and otherwise why not. It asks GitHub at each call.
// https://docs.github.com/en/rest/teams/members#get-team-membership-for-a-user
func (t *Team) Member(ctx context.Context, login string) error {
	// go-github puts the login into the address as it is.
	if !githubaccess.IsLogin(login) {
		return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("%q can't be a GitHub login.", login), Next: "Ask in " + t.Channel + " to have the bot's identities corrected."}
	}
	membership, _, err := t.GitHub.Teams.GetTeamMembershipBySlug(ctx, t.Organization, t.Slug, login)
	if githubaccess.NotFound(err) {
		return t.missing(ctx, login)
	}
	if err != nil {
		return t.unknown(err, login)
	}
	if state := cmp.Or(membership.GetState(), "not known"); state != "active" {
		return &ops.Error{
			Kind: ops.Refused,
			What: fmt.Sprintf("Your GitHub login %s is not an active member of the team %s: the membership is %s.", login, t.Name(), state),
			Of:   fmt.Sprintf("is not an active member of the team %s: the membership is %s.", t.Name(), state),
			Next: "Accept GitHub's invitation, then try again.",
		}
	}
	return nil
}

// Logins are the members of the team, child teams included, as GitHub lists them.
// https://docs.github.com/en/rest/teams/members#list-team-members
func (t *Team) Logins(ctx context.Context) ([]string, error) {
	var logins []string
	options := &github.TeamListTeamMembersOptions{ListOptions: github.ListOptions{PerPage: 100}}
	for {
		page, response, err := t.GitHub.Teams.ListTeamMembersBySlug(ctx, t.Organization, t.Slug, options)
		if err != nil {
			return nil, githubaccess.Explain(fmt.Errorf("list the members of team %s: %w", t.Name(), err))
		}
		for _, member := range page {
			logins = append(logins, member.GetLogin())
		}
		if response.NextPage == 0 {
			return logins, nil
		}
		options.Page = response.NextPage
	}
}

// Ping tells whether GitHub answers the bot at all: that it knows the token, and
// is there. What it says of the team is for Member.
func (t *Team) Ping(ctx context.Context) error {
	_, response, err := t.GitHub.Teams.GetTeamBySlug(ctx, t.Organization, t.Slug)
	if err != nil && (response == nil || response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusUnauthorized) {
		return githubaccess.Explain(fmt.Errorf("ask GitHub for the team %s: %w", t.Name(), err))
	}
	return nil
}

// missing tells a login that isn't a member from a team that isn't there:
// GitHub answers 404 to both.
func (t *Team) missing(ctx context.Context, login string) error {
	if _, _, err := t.GitHub.Teams.GetTeamBySlug(ctx, t.Organization, t.Slug); err != nil {
		if githubaccess.NotFound(err) {
			err = &ops.Error{
				Kind: ops.Unavailable, Err: err,
				What: fmt.Sprintf("GitHub shows the bot no team %s.", t.Name()),
				Next: "Check github.organization and github.team in the bot's settings, and that the bot may read the organisation's members.",
			}
		}
		return t.unknown(err, login)
	}
	t.roll.absent()
	return t.noMember(login)
}

// Crowd returns a refusal where GitHub has called many people no members within the
// last minute, and a login isn't on the team's list of at most half a minute ago. Nil
// says nothing: Member must be asked.
func (t *Team) Crowd(ctx context.Context, login string) error {
	if t.roll.lacks(ctx, login, t.Logins) {
		return t.noMember(login)
	}
	return nil
}

// Crowded tells whether Crowd may refuse anybody.
func (t *Team) Crowded() bool { return t.roll.crowded() }

func (t *Team) noMember(login string) error {
	return &ops.Error{
		Kind: ops.Refused,
		What: fmt.Sprintf("Your GitHub login %s is not a member of the team %s.", login, t.Name()),
		Of:   fmt.Sprintf("is not a member of the team %s.", t.Name()),
		Next: "Ask in " + t.Channel + " who can help you.",
	}
}

// unknown refuses because membership can't be checked.
func (t *Team) unknown(err error, login string) error {
	explained := githubaccess.Explain(fmt.Errorf("look up %s in team %s: %w", login, t.Name(), err))
	return &ops.Error{
		Kind: ops.Unavailable, Err: err, Passing: ops.IsPassing(explained),
		What: fmt.Sprintf("I can't check whether %s is a member of the team %s.", login, t.Name()),
		Next: strings.TrimSpace(ops.Words(explained, "")),
	}
}

// showFor is how old an answer may be that only shows something.
const showFor = 30 * time.Second

// lately are the newest answers of Member.
type lately struct {
	mu      sync.Mutex
	answers map[string]answer // by login
}

type answer struct {
	err error
	at  time.Time
}

// Shows is Member for showing things: its answer may be 30 seconds old. Nothing
// may be done on the strength of it.
func (t *Team) Shows(ctx context.Context, login string) error {
	t.lately.mu.Lock()
	known, ok := t.lately.answers[login]
	t.lately.mu.Unlock()
	if ok && time.Since(known.at) < showFor {
		return known.err
	}
	fresh := answer{at: time.Now()}
	if fresh.err = t.Member(ctx, login); ops.KindOf(fresh.err) == ops.Unavailable {
		return fresh.err
	}
	t.lately.mu.Lock()
	defer t.lately.mu.Unlock()
	for old, a := range t.lately.answers {
		if time.Since(a.at) > showFor {
			delete(t.lately.answers, old)
		}
	}
	if t.lately.answers == nil {
		t.lately.answers = map[string]answer{}
	}
	t.lately.answers[login] = fresh
	return fresh.err
}

// Known are the people of the chat whose GitHub login the settings or a link that
// counts name, by their ID. Whether it still is theirs, Identify tells.
func (t *Team) Known(ctx context.Context) ([]string, error) {
	people := slices.Sorted(maps.Keys(t.Identities))
	if t.Links != nil {
		links, err := t.Links.Links(ctx, t.Workspace)
		if err != nil {
			return nil, err
		}
		for _, link := range links {
			if link.Counts() {
				people = append(people, link.User)
			}
		}
	}
	slices.Sort(people)
	return slices.Compact(people), nil
}
