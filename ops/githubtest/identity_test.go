package githubtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const identities = `query($organization:String!,$name:String!){organization(login:$organization){samlIdentityProvider{` +
	`externalIdentities(first:2,userName:$name,membersOnly:true){totalCount pageInfo{hasNextPage endCursor} nodes{guid ` +
	`samlIdentity{nameId username emails{value}} scimIdentity{username} user{login databaseId}}}}}}`

// graph is what a query gets, as a client library hands it over.
type graph struct {
	Data struct {
		Organization *struct {
			SAMLIdentityProvider *struct {
				ExternalIdentities struct {
					TotalCount int
					PageInfo   struct {
						HasNextPage, HasPreviousPage bool
						StartCursor, EndCursor       *string
					}
					Nodes []identity
					Edges []struct {
						Cursor string
						Node   identity
					}
				}
			}
		}
	}
	Errors []graphError
}

type graphError struct {
	Type, Message string
	Path          []any
	Locations     []struct{ Line, Column int }
	Extensions    map[string]any
}

type identity struct {
	GUID         string
	SAMLIdentity struct {
		NameID, Username string
		Emails           []struct{ Value string }
	}
	SCIMIdentity *struct{ Username string }
	User         *struct {
		Login      string
		DatabaseID int64
	}
}

// ask sends a query through go-github.
func ask(t *testing.T, gh *githubtest.Server, token, query string, variables map[string]any) (graph, *github.Response) {
	t.Helper()
	c := client(t, gh, token)
	r, err := c.NewRequest("POST", "graphql", map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	var got graph
	resp, err := c.Do(t.Context(), r, &got)
	if err != nil {
		t.Fatal(err)
	}
	return got, resp
}

func named(name string) map[string]any { return map[string]any{"organization": org, "name": name} }

// provided is a GitHub with a SAML identity provider, an App's token and an owner's.
func provided(t *testing.T) (gh *githubtest.Server, app string) {
	gh = start(t, githubtest.Options{})
	gh.AddToOrganization("alice")
	gh.AddExternalIdentity("alice@example.com", "alice", githubtest.ExternalIdentityOptions{
		SAMLUserName: "alice.saml", UserName: "alice.scim", Emails: []string{"a@example.com"},
	})
	gh.AddExternalIdentity("unclaimed@example.com", "")
	gh.AddExternalIdentity("gone@example.com", "gone")
	return gh, installed(t, gh, githubtest.App{})
}

func installed(t *testing.T, gh *githubtest.Server, app githubtest.App) string {
	t.Helper()
	app = add(gh, app)
	jwt := sign(t, app.PrivateKey, "RS256", claims(app.ID, time.Now().Add(-time.Second)))
	token, _, err := client(t, gh, jwt).Apps.CreateInstallationToken(t.Context(), app.InstallationID, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token.GetToken()
}

func TestFindSomebodyByTheirNameID(t *testing.T) {
	gh, app := provided(t)
	for name, want := range map[string]int{
		"alice@example.com": 1, "alice.saml": 1, "alice.scim": 1, "ALICE@example.com": 0, "a@example.com": 0, "": 0,
		"unclaimed@example.com": 0, "gone@example.com": 0,
	} {
		got, _ := ask(t, gh, app, identities, named(name))
		page := got.Data.Organization.SAMLIdentityProvider.ExternalIdentities
		if page.TotalCount != want || len(page.Nodes) != want || page.PageInfo.HasNextPage || got.Errors != nil {
			t.Errorf("%q: got %+v", name, got)
		}
		if want == 0 {
			continue
		}
		found := page.Nodes[0]
		if found.SAMLIdentity.NameID != "alice@example.com" || found.SAMLIdentity.Username != "alice.saml" || found.SAMLIdentity.Emails[0].Value != "a@example.com" || len(found.GUID) != 36 ||
			found.SCIMIdentity.Username != "alice.scim" || found.User.Login != "alice" || found.User.DatabaseID != gh.ID("alice") {
			t.Errorf("%q: got %+v", name, found)
		}
	}
}

func TestIdentitiesOfNonMembers(t *testing.T) {
	gh, app := provided(t)
	gh.AddToOrganization("gone")
	query := `query Q($login: String, $members: Boolean = false) {
		organization(login: "` + org + `") { samlIdentityProvider {
			externalIdentities(login: $login, first: 100, membersOnly: $members) { nodes { samlIdentity { nameId } scimIdentity { username } user { login } } }
		} }
	}`
	list := func(variables map[string]any) []string {
		t.Helper()
		got, _ := ask(t, gh, app, query, variables)
		all := []string{}
		for _, one := range got.Data.Organization.SAMLIdentityProvider.ExternalIdentities.Nodes {
			text := one.SAMLIdentity.NameID
			if one.User != nil {
				text += " " + one.User.Login
			}
			if one.SCIMIdentity != nil {
				text += " " + one.SCIMIdentity.Username
			}
			all = append(all, text)
		}
		return all
	}
	alice, nobody, gone := "alice@example.com alice alice.scim", "unclaimed@example.com", "gone@example.com gone"
	equal(t, list(nil), []string{alice, nobody, gone})
	equal(t, list(map[string]any{"login": nil, "members": true}), []string{alice, gone})
	equal(t, list(map[string]any{"login": "ALICE"}), []string{alice})
	gh.RemoveFromOrganization("gone")
	equal(t, list(map[string]any{"members": true}), []string{alice})
	gh.RenameUser("alice", "alicia")
	equal(t, list(map[string]any{"login": "alice"}), []string{})
	equal(t, list(map[string]any{"login": "alicia"}), []string{"alice@example.com alicia alice.scim"})
	gh.RemoveExternalIdentity("alice@example.com")
	equal(t, list(nil), []string{nobody, gone})
	gh.AddExternalIdentity("unclaimed@example.com", "alicia")
	equal(t, list(nil), []string{nobody, gone, nobody + " alicia"})
	defer func() {
		if recover() == nil {
			t.Error("a second identity for one person")
		}
	}()
	gh.AddExternalIdentity("other@example.com", "alicia")
}

func TestPagesOfIdentities(t *testing.T) {
	gh := start(t, githubtest.Options{})
	app := installed(t, gh, githubtest.App{})
	for i := range 5 {
		gh.AddExternalIdentity(fmt.Sprintf("%d@example.com", i), "")
	}
	query := `query($organization: String!, $first: Int!, $after: String) { organization(login: $organization) { samlIdentityProvider {
		externalIdentities(first: $first, after: $after) {
			totalCount
			pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
			edges { cursor node { samlIdentity { nameId } } }
		}
	} } }`
	var got []string
	var after *string
	for more, pages := true, 0; more; pages++ {
		answer, _ := ask(t, gh, app, query, map[string]any{"organization": org, "first": 2, "after": after})
		page := answer.Data.Organization.SAMLIdentityProvider.ExternalIdentities
		for _, edge := range page.Edges {
			got = append(got, edge.Node.SAMLIdentity.NameID)
		}
		more, after = page.PageInfo.HasNextPage, page.PageInfo.EndCursor
		if page.TotalCount != 5 || page.PageInfo.HasPreviousPage != (pages > 0) || *page.PageInfo.StartCursor != page.Edges[0].Cursor || pages > 2 {
			t.Fatalf("page %d: got %+v", pages, page)
		}
	}
	equal(t, got, []string{"0@example.com", "1@example.com", "2@example.com", "3@example.com", "4@example.com"})
	last, _ := ask(t, gh, app, query, map[string]any{"organization": org, "first": 100, "after": after})
	if page := last.Data.Organization.SAMLIdentityProvider.ExternalIdentities; len(page.Edges) != 0 || page.PageInfo.EndCursor != nil || page.PageInfo.HasNextPage {
		t.Errorf("behind the last: %+v", page)
	}
}

func TestWhoSeesTheIdentityProvider(t *testing.T) {
	const seen, hidden = "seen", "null"
	scopes := func(name string) string {
		return "Your token has not been granted the required scopes to execute this query. The 'samlIdentityProvider' field requires one of the following scopes: ['read:org', 'admin:org'], but your token has only been granted the: ['" +
			name + "'] scopes. Please modify your token's scopes at: https://github.com/settings/tokens."
	}
	for _, tc := range []struct {
		name    string
		prepare func(*testing.T, *githubtest.Server) string
		want    string
		kind    string
	}{
		{"an App with members", func(t *testing.T, gh *githubtest.Server) string { return installed(t, gh, githubtest.App{}) }, seen, ""},
		{"an App without", func(t *testing.T, gh *githubtest.Server) string {
			return installed(t, gh, githubtest.App{Permissions: map[string]string{"contents": "write"}})
		}, byIntegration, "FORBIDDEN"},
		{"an owner's classic token with read:org", classicOwner("read:org"), seen, ""},
		{"an owner's classic token with admin:org", classicOwner("admin:org"), seen, ""},
		{"an owner's classic token with repo", classicOwner("repo"), scopes("repo"), "INSUFFICIENT_SCOPES"},
		{"a member's classic token", func(_ *testing.T, gh *githubtest.Server) string {
			gh.AddToken("hers", "alice", "read:org")
			return "hers"
		}, hidden, ""},
		{"an owner's fine-grained token", func(_ *testing.T, gh *githubtest.Server) string {
			gh.AddOwner("olive")
			gh.AddFineGrainedToken("hers", "olive", map[string]string{"members": "read"})
			return "hers"
		}, byToken, "FORBIDDEN"},
		{"an owner through an App", func(t *testing.T, gh *githubtest.Server) string {
			gh.AddOwner("olive")
			token, _ := authorized(t, gh, add(gh, githubtest.App{}), "olive")
			return token
		}, seen, ""},
		{"an owner through an App without members", func(t *testing.T, gh *githubtest.Server) string {
			gh.AddOwner("olive")
			token, _ := authorized(t, gh, add(gh, githubtest.App{Permissions: map[string]string{}}), "olive")
			return token
		}, byIntegration, "FORBIDDEN"},
		{"a member through an App", func(t *testing.T, gh *githubtest.Server) string {
			token, _ := authorized(t, gh, add(gh, githubtest.App{}), "alice")
			return token
		}, hidden, ""},
		{"an App of an organisation without SAML", func(t *testing.T, gh *githubtest.Server) string {
			gh.DisableSAML()
			return installed(t, gh, githubtest.App{})
		}, hidden, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gh, _ := provided(t)
			got, _ := ask(t, gh, tc.prepare(t, gh), identities, named("alice@example.com"))
			what := hidden
			switch {
			case len(got.Errors) == 1:
				what = got.Errors[0].Message
				equal(t, got.Errors[0].Type, tc.kind)
			case got.Data.Organization.SAMLIdentityProvider != nil:
				what = seen
				equal(t, got.Data.Organization.SAMLIdentityProvider.ExternalIdentities.TotalCount, 1)
			}
			equal(t, what, tc.want)
			if tc.kind == "FORBIDDEN" {
				equal(t, got.Errors[0].Path, []any{"organization", "samlIdentityProvider"})
				equal(t, got.Errors[0].Extensions, map[string]any{"saml_failure": false})
				equal(t, got.Data.Organization.SAMLIdentityProvider == nil, true)
			}
		})
	}
}

func classicOwner(scope string) func(*testing.T, *githubtest.Server) string {
	return func(_ *testing.T, gh *githubtest.Server) string {
		gh.AddToken("hers", "olive", scope)
		gh.AddOwner("olive")
		return "hers"
	}
}
