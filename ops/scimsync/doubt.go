package scimsync

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// surely stands before a word that is a login for certain.
const surely = "user:"

// bare is a login without the word that makes it certain.
func bare(word string) (login string, certain bool) {
	if len(word) > len(surely) && strings.EqualFold(word[:len(surely)], surely) {
		return word[len(surely):], true
	}
	return word, false
}

// doubt says that a word is the login of nobody in the organisation: it may be a
// command that was mistyped, and the sync changes things also where it is about nobody.
func (o *operation) doubt(ctx context.Context, r ops.Request) error {
	var teams Teams
	for _, word := range r.Inputs["people"] {
		login, certain := bare(word)
		if certain {
			continue
		}
		// https://docs.github.com/en/rest/orgs/members#get-organization-membership-for-a-user
		_, _, err := o.github.Organizations.GetOrgMembership(ctx, login, o.organization)
		if err == nil {
			continue
		}
		if ops.KindOf(githubaccess.Explain(err)) == ops.Unavailable && ops.IsPassing(githubaccess.Explain(err)) {
			return githubaccess.Explain(fmt.Errorf("look whether %s is in %s: %w", login, o.organization, err))
		}
		if _, _, err = o.github.Users.Get(ctx, login); githubaccess.NotFound(err) {
			return &ops.Error{Kind: ops.Invalid, Err: err, What: fmt.Sprintf("GitHub has no user %s.", login), Next: meant(login) + "Check the spelling; /scim-sync help shows the forms of the command."}
		}
		// GitHub answers 404 also to one who may not see memberships.
		if teams == nil {
			if teams, err = o.readTeams(ctx, func(int, int) {}); err != nil {
				return err
			}
		}
		if !teams.has(strings.ToLower(login)) {
			return &ops.Error{
				Kind: ops.Invalid, What: fmt.Sprintf("“%s” is the GitHub login of nobody in the organisation %s.", login, o.organization),
				Next: meant(login) + fmt.Sprintf("If you do mean the GitHub user %s, type `/scim-sync %s%s`.", login, surely, login),
			}
		}
	}
	return nil
}

// meant asks whether a command was mistyped; empty: it doesn't look so.
func meant(login string) string {
	if command := near(login, "plan", "help"); command != "" {
		return fmt.Sprintf("Did you mean `/scim-sync %s`? ", command)
	}
	return ""
}

// near is the word that another is a typing error of; empty: none. Two letters may be
// wrong, missing or in each other's place.
func near(typed string, words ...string) string {
	typed = strings.ToLower(strings.Trim(typed, "-"))
	for _, word := range words {
		if distance(typed, word) <= 2 {
			return word
		}
	}
	return ""
}

// distance is how many letters must be put in, left out or put right to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
