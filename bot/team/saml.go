package team

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// SAML is how the organisation's single sign-on ties GitHub accounts to e-mail
// addresses.
type SAML struct {
	URL     string   // of GitHub's GraphQL API
	Domains []string // of the addresses that are trusted: the workspace's own
}

// identityQuery finds the members who sign in by a name, or were provisioned
// under it. Two are enough to know that it is not one. An App needs the permission "members: read".
// https://docs.github.com/en/graphql/reference/objects#externalidentity
const identityQuery = `query($organization: String!, $name: String!) {
  organization(login: $organization) {
    samlIdentityProvider {
      externalIdentities(first: 2, userName: $name, membersOnly: true) {
        nodes {
          samlIdentity { nameId username }
          user { login databaseId }
        }
      }
    }
  }
}`

type identityAnswer struct {
	Data struct {
		Organization *struct {
			Provider *struct {
				Identities struct {
					Nodes []externalIdentity `json:"nodes"`
				} `json:"externalIdentities"`
			} `json:"samlIdentityProvider"`
		} `json:"organization"`
	} `json:"data"`
	Errors []struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"errors"`
}

type externalIdentity struct {
	SAML *struct {
		NameID   string `json:"nameId"`
		UserName string `json:"username"`
	} `json:"samlIdentity"`
	User *struct {
		Login string `json:"login"`
		ID    int64  `json:"databaseId"`
	} `json:"user"`
}

// external is who the organisation's single sign-on says that somebody is: by
// the address that the chat has confirmed, of the workspace's own domains, and
// by nothing like it.
func (t *Team) external(ctx context.Context, person Person) (Identity, error) {
	address, ok := plainAddress(person.Email)
	name, domain, _ := strings.Cut(address, "@")
	if !ok || name == "" || !slices.Contains(t.SAML.Domains, domain) {
		return Identity{}, nil
	}
	answer, err := t.identities(ctx, address)
	if err != nil {
		return Identity{}, t.unsaid(err, address)
	}
	var found []externalIdentity
	for _, i := range answer {
		if i.SAML != nil && slices.ContainsFunc([]string{i.SAML.NameID, i.SAML.UserName}, func(name string) bool {
			plain, ok := plainAddress(name)
			return ok && plain == address
		}) {
			found = append(found, i)
		}
	}
	if len(found) > 1 || len(found) == 1 && len(answer) > 1 {
		return Identity{}, refused(fmt.Sprintf("More than one GitHub login signs in as %s, so I can't tell which is yours.", address),
			fmt.Sprintf("signs in as %s, and so does another GitHub login.", address), "Ask in "+t.Channel+" to be added to the bot's identities.")
	}
	if len(found) == 0 || found[0].User == nil || found[0].User.ID == 0 || !githubaccess.IsLogin(found[0].User.Login) {
		return Identity{}, nil
	}
	if t.Links != nil {
		link, err := t.Links.LinkTo(ctx, found[0].User.ID)
		if err == nil && link.Counts() && !slices.Contains(person.IDs, link.User) {
			return Identity{}, refused(fmt.Sprintf("Somebody else has proved that the GitHub login %s is theirs, so I can't tell who you are.", found[0].User.Login),
				fmt.Sprintf("has the GitHub login %s by single sign-on, and somebody else has proved that it is theirs.", found[0].User.Login), "Ask in "+t.Channel+" to be added to the bot's identities.")
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return Identity{}, &ops.Error{Kind: ops.Unavailable, Err: err, What: "The bot can't read its database, so it can't tell who you are.", Next: "Try again in a minute."}
		}
	}
	return Identity{Login: found[0].User.Login, How: "by the organisation's single sign-on, as " + address}, nil
}

// unseenError says that GitHub doesn't show the bot the organisation's single sign-on,
// which no waiting mends.
type unseenError struct{ error }

// unsaid refuses because GitHub didn't say who signs in by an address.
func (t *Team) unsaid(err error, address string) error {
	_, unseen := errors.AsType[unseenError](err)
	said := &ops.Error{
		Kind: ops.Unavailable, Err: err, Passing: !unseen && githubaccess.Transient(err),
		What: fmt.Sprintf("GitHub didn't say which login signs in as %s, so I can't tell whether you belong to the GitHub team %s.", address, t.Name()),
		Next: "Try again in a minute.",
	}
	if !said.Passing {
		said.Next = "Tell the people who run the bot: GitHub doesn't show it the organisation's single sign-on (github.saml in its settings)."
	}
	return said
}

// plainAddress is an address in lower case, if it is printable ASCII. Lower case
// is looked at last: strings.ToLower makes a k of the Kelvin sign.
func plainAddress(address string) (string, bool) {
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", false
	}
	return strings.ToLower(address), true
}

// identities asks GitHub who signs in by a name.
func (t *Team) identities(ctx context.Context, name string) ([]externalIdentity, error) {
	address, err := url.Parse(t.SAML.URL)
	if err != nil {
		return nil, unseenError{fmt.Errorf("GitHub's GraphQL address: %w", err)}
	}
	request, err := t.GitHub.NewRequest(http.MethodPost, address.String(), map[string]any{
		"query": identityQuery, "variables": map[string]string{"organization": t.Organization, "name": name},
	})
	if err != nil {
		return nil, fmt.Errorf("ask for external identities: %w", err)
	}
	var answer identityAnswer
	if _, err := t.GitHub.Do(githubaccess.Reading(ctx), request, &answer); err != nil {
		return nil, fmt.Errorf("ask for external identities: %w", err)
	}
	// GraphQL says what is wrong with status 200.
	if len(answer.Errors) > 0 {
		err := fmt.Errorf("ask for external identities: GitHub answers %s: %s", answer.Errors[0].Type, answer.Errors[0].Message)
		if slices.Contains([]string{"FORBIDDEN", "INSUFFICIENT_SCOPES", "NOT_FOUND"}, answer.Errors[0].Type) {
			err = unseenError{err}
		}
		return nil, err
	}
	switch {
	case answer.Data.Organization == nil:
		return nil, errors.New("ask for external identities: GitHub shows no such organisation")
	case answer.Data.Organization.Provider == nil:
		return nil, unseenError{errors.New("ask for external identities: the organisation has no SAML of its own, or the bot may not read it")}
	}
	return answer.Data.Organization.Provider.Identities.Nodes, nil
}
