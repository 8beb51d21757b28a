package githubtest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestDataStandsAsItWasAskedFor(t *testing.T) {
	gh := start(t, githubtest.Options{})
	resp, body := postJSON(t, gh, `{"query":"# one\n{ organization(login: \"MINISTRYOFJUSTICE\"), { name, login databaseId samlIdentityProvider{id} name } }"}`)
	want := `{"data":{"organization":{"name":"ministryofjustice","login":"ministryofjustice","databaseId":1001,"samlIdentityProvider":null}}}`
	equal(t, body, want)
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "X-GitHub-Media-Type": "github.v4; format=json",
		"X-RateLimit-Resource": "graphql", "X-RateLimit-Used": "1",
	} {
		equal(t, resp.Header.Get(name), want)
	}
}

// postJSON sends a body to GraphQL as it is, with the reader's token or header: name, value, name, value.
func postJSON(t *testing.T, gh *githubtest.Server, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", gh.URL()+"graphql", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "bearer reader")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return do(t, r)
}

// TestWhatGraphQLRefuses has the errors of queries that are wrong; those that GitHub might answer are problems.
func TestWhatGraphQLRefuses(t *testing.T) {
	const o = `organization(login: "` + org + `")`
	page := func(arguments string) string {
		return "{" + o + "{samlIdentityProvider{externalIdentities" + arguments + "{totalCount}}}}"
	}
	for _, tc := range []struct {
		query, message string
		code           string
		path           []any
		line, column   int
		problem        bool
	}{
		{"", "A query attribute must be specified and must be a string.", "", nil, 0, 0, false},
		{"{", "Unexpected end of document", "", nil, 1, 2, false},
		{"{\n " + o + "{login}", "Unexpected end of document", "", nil, 2, 49, false},
		{"{ }", `Expected IDENTIFIER, actual: RCURLY ("}") at [1, 3]`, "", nil, 1, 3, false},
		{`{organization(login: "x){login}}`, `Expected a value, actual: UNKNOWN_CHAR ("\"") at [1, 22]`, "", nil, 1, 22, false},
		{"{" + o + "{login nonsense}}", "Field 'nonsense' doesn't exist on type 'Organization'", "undefinedField", []any{"query", "organization", "nonsense"}, 1, 49, true},
		{"query Who {\n\tviewer { login }\n}", "Field 'viewer' doesn't exist on type 'Query'", "undefinedField", []any{"query Who", "viewer"}, 2, 2, true},
		{page(`(first: 1, last: 2)`), "Field 'externalIdentities' doesn't accept argument 'last'", "argumentNotAccepted", []any{"query", "organization", "samlIdentityProvider", "externalIdentities", "last"}, 1, 93, true},
		{"{organization{login}}", "Field 'organization' is missing required arguments: login", "missingRequiredArguments", []any{"query", "organization"}, 1, 2, false},
		{"{organization(login: 5){login}}", "Argument 'login' on Field 'organization' has an invalid value (5). Expected type 'String!'.", "argumentLiteralsIncompatible", []any{"query", "organization", "login"}, 1, 2, false},
		{"{organization(login: null){login}}", "Argument 'login' on Field 'organization' has an invalid value (null). Expected type 'String!'.", "argumentLiteralsIncompatible", []any{"query", "organization", "login"}, 1, 2, false},
		{page(`(first: 1.5)`), "Argument 'first' on Field 'externalIdentities' has an invalid value (1.5). Expected type 'Int'.", "argumentLiteralsIncompatible", []any{"query", "organization", "samlIdentityProvider", "externalIdentities", "first"}, 1, 64, false},
		{"{organization(login: $o){login}}", "Variable $o is used by anonymous query but not declared", "variableNotDefined", []any{"query", "organization", "login"}, 1, 15, false},
		{"query Q($o: String!){" + o + "{login}}", "Variable $o is declared by Q but not used", "variableNotUsed", []any{"query Q"}, 1, 9, false},
		{"query($o: Int!){organization(login: $o){login}}", "Type mismatch on variable $o and argument login (Int! / String!)", "variableMismatch", []any{"query", "organization", "login"}, 1, 30, false},
		{"query($o: String){organization(login: $o){login}}", "Nullability mismatch on variable $o and argument login (String / String!)", "variableMismatch", []any{"query", "organization", "login"}, 1, 32, false},
		{"query($o: String = 5){organization(login: $o){login}}", "Default value for $o doesn't match type String", "defaultValueInvalidType", []any{"query"}, 1, 7, false},
		{"query($o: String!){organization(login: $o){login}}", "Variable $o of type String! was provided invalid value", "", nil, 1, 7, false},
		{"{" + o + "}", "Field must have selections (field 'organization' returns Organization but has no selections. Did you mean 'organization { ... }'?)", "selectionMismatch", []any{"query", "organization"}, 1, 2, false},
		{"{" + o + "{login{x}}}", "Selections can't be made on scalars (field 'login' returns String but has selections)", "selectionMismatch", []any{"query", "organization", "login"}, 1, 43, false},
		{"{me: " + o + "{login}}", "githubtest doesn't know aliases", "", nil, 1, 4, true},
		{"{...Who}", "githubtest doesn't know fragments", "", nil, 1, 2, true},
		{"{" + o + "{login @include(if: true)}}", "githubtest doesn't know directives", "", nil, 1, 49, true},
		{"mutation {x}", "githubtest doesn't know mutation", "", nil, 1, 1, true},
		{"{" + o + "{login}} query B{x}", "githubtest doesn't know more than one operation, and fragments", "", nil, 1, 51, true},
		{"query($o: [String!]){" + o + "{login}}", "githubtest doesn't know variables that are lists", "", nil, 1, 11, true},
		{`{organization(login: """` + org + `"""){login}}`, "githubtest doesn't know block strings, lists and input objects", "", nil, 1, 22, true},
		{"{" + o + "{samlIdentityProvider{id}samlIdentityProvider{id}}}", "githubtest doesn't know how to merge fields", "", []any{"query", "organization", "samlIdentityProvider"}, 1, 67, true},
	} {
		t.Run(tc.query, func(t *testing.T) {
			gh := loud(t, githubtest.Options{})
			got, _ := ask(t, gh, "reader", tc.query, nil)
			if len(got.Errors) != 1 || got.Data.Organization != nil {
				t.Fatalf("got %+v", got)
			}
			e := got.Errors[0]
			equal(t, e.Message, tc.message)
			equal(t, e.Path, tc.path)
			if code, _ := e.Extensions["code"].(string); code != tc.code {
				t.Errorf("code %q, want %q", code, tc.code)
			}
			if tc.line > 0 && (len(e.Locations) != 1 || e.Locations[0].Line != tc.line || e.Locations[0].Column != tc.column) {
				t.Errorf("at %v, want %d, %d", e.Locations, tc.line, tc.column)
			}
			if problems := gh.Problems(); (len(problems) == 1) != tc.problem {
				t.Errorf("problems %q", problems)
			}
		})
	}
}

// TestWhatGraphQLCantHave has the errors of queries that are right, next to data.
func TestWhatGraphQLCantHave(t *testing.T) {
	gh := start(t, githubtest.Options{})
	app := installed(t, gh, githubtest.App{})
	gh.EnableSAML()
	connection := []any{"organization", "samlIdentityProvider", "externalIdentities"}
	for _, tc := range []struct {
		organization, arguments, kind, message string
		path                                   []any
	}{
		{"nobody", "(first: 1)", "NOT_FOUND", "Could not resolve to an Organization with the login of 'nobody'.", connection[:1]},
		{org, "", "MISSING_PAGINATION_BOUNDARIES", "You must provide a `first` or `last` value to properly paginate the `externalIdentities` connection.", connection},
		{org, "(first: 101)", "EXCESSIVE_PAGINATION", "Requesting 101 records on the `externalIdentities` connection exceeds the `first` limit of 100 records.", connection},
		{org, "(first: -1)", "", "`first` on the `externalIdentities` connection cannot be less than zero.", connection},
		{org, `(first: 1, after: "x")`, "INVALID_CURSOR_ARGUMENTS", "`x` does not appear to be a valid cursor.", connection},
	} {
		query := "query($o: String!) { organization(login: $o) { login samlIdentityProvider { externalIdentities" + tc.arguments + " { totalCount } } } }"
		got, _ := ask(t, gh, app, query, map[string]any{"o": tc.organization, "unused": 1})
		if len(got.Errors) != 1 {
			t.Fatalf("%s: got %+v", tc.kind, got)
		}
		e := got.Errors[0]
		if e.Type != tc.kind || e.Message != tc.message || e.Extensions != nil || len(e.Locations) != 1 {
			t.Errorf("%s: got %+v", tc.kind, e)
		}
		equal(t, e.Path, tc.path)
		if there := got.Data.Organization != nil; there != (tc.organization == org) || there && got.Data.Organization.SAMLIdentityProvider != nil {
			t.Errorf("%s: got %+v", tc.kind, got.Data)
		}
	}
}

func TestValuesOfVariables(t *testing.T) {
	gh := start(t, githubtest.Options{})
	app := installed(t, gh, githubtest.App{})
	gh.AddExternalIdentity("alice@example.com", "alice")
	query := `query($o: String = "` + org + `", $n: Int!, $m: Boolean) { organization(login: $o) { samlIdentityProvider { externalIdentities(first: $n, membersOnly: $m) { totalCount } } } }`
	for _, tc := range []struct {
		variables map[string]any
		problem   string
	}{
		{map[string]any{"n": 1}, ""},
		{map[string]any{"n": 1, "m": nil}, ""},
		{map[string]any{"n": "1"}, `Could not coerce value "1" to Int`},
		{map[string]any{"n": 1.5}, `Could not coerce value 1.5 to Int`},
		{map[string]any{"n": 1, "m": "true"}, `Could not coerce value "true" to Boolean`},
		{map[string]any{"n": 1, "o": 5}, `Could not coerce value 5 to String`},
		{map[string]any{"n": nil}, `Expected value to not be null`},
	} {
		got, _ := ask(t, gh, app, query, tc.variables)
		if tc.problem == "" {
			if got.Data.Organization == nil || got.Data.Organization.SAMLIdentityProvider.ExternalIdentities.TotalCount != 1 {
				t.Errorf("%v: got %+v", tc.variables, got)
			}
			continue
		}
		if len(got.Errors) != 1 {
			t.Fatalf("%v: got %+v", tc.variables, got)
		}
		problems, _ := got.Errors[0].Extensions["problems"].([]any)
		if len(problems) != 1 || problems[0].(map[string]any)["explanation"] != tc.problem {
			t.Errorf("%v: got %+v", tc.variables, got)
		}
	}
}

func TestCallsToGraphQL(t *testing.T) {
	gh := start(t, githubtest.Options{})
	const query = `{"query":"query A{organization(login:\"x\"){login}}"`
	for _, tc := range []struct {
		name, body    string
		authorization string
		status        int
		want          string
	}{
		{"bearer", query + "}", "bearer reader", 200, `"NOT_FOUND"`},
		{"token", query + `,"variables":null,"operationName":"A"}`, "token reader", 200, `"NOT_FOUND"`},
		{"another operation", query + `,"operationName":"B"}`, "token reader", 200, `No operation named \"B\"`},
		{"no token", query + "}", "", 401, "This endpoint requires you to be authenticated."},
		{"a bad token", query + "}", "bearer nonsense", 401, "Bad credentials"},
		{"not JSON", query, "token reader", 400, "Problems parsing JSON"},
		{"variables as a list", query + `,"variables":[]}`, "token reader", 400, "Problems parsing JSON"},
		{"no query", `{}`, "token reader", 200, "A query attribute must be specified and must be a string."},
		{"a query that is a number", `{"query":1}`, "token reader", 200, "A query attribute must be specified and must be a string."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := postJSON(t, gh, tc.body, "Authorization", tc.authorization)
			equal(t, resp.StatusCode, tc.status)
			if !strings.Contains(body, tc.want) || tc.status != 200 && !strings.Contains(body, "https://docs.github.com/graphql") {
				t.Errorf("got %s", body)
			}
		})
	}
}

func TestGraphQLHasAnHourOfItsOwn(t *testing.T) {
	gh := start(t, githubtest.Options{RateLimit: 2})
	query := `{organization(login:"` + org + `"){login}}`
	for range 2 {
		if got, _ := ask(t, gh, "reader", query, nil); got.Errors != nil {
			t.Errorf("got %+v", got)
		}
	}
	got, resp := ask(t, gh, "reader", query, nil)
	if len(got.Errors) != 1 || got.Errors[0].Type != "RATE_LIMITED" || !strings.HasPrefix(got.Errors[0].Message, "API rate limit exceeded for user ID ") ||
		resp.Rate.Remaining != 0 || resp.Rate.Limit != 2 {
		t.Errorf("got %+v, %v", got, resp.Rate)
	}
	c := client(t, gh, "reader")
	if _, _, err := c.Users.Get(t.Context(), ""); err != nil {
		t.Error(err)
	}
	limits, _, err := c.RateLimit.Get(t.Context())
	if err != nil || limits.Core.Remaining != 1 || limits.GraphQL.Remaining != 0 {
		t.Errorf("got %v, %v", limits, err)
	}
}

func TestFaultsOfGraphQL(t *testing.T) {
	gh := start(t, githubtest.Options{})
	query := `{organization(login:"` + org + `"){login}}`
	gh.Fail("/graphql", githubtest.Fault{RateLimited: true, Times: 1})
	got, resp := ask(t, gh, "reader", query, nil)
	if len(got.Errors) != 1 || got.Errors[0].Type != "RATE_LIMITED" || resp.Rate.Remaining != 0 || resp.Header.Get("X-RateLimit-Resource") != "graphql" {
		t.Errorf("got %+v", got)
	}
	gh.Fail("/graphql", githubtest.Fault{RateLimited: true, Message: "Enough", Times: 1})
	got, _ = ask(t, gh, "reader", query, nil)
	equal(t, got.Errors[0].Message, "Enough")
	gh.Fail("/graphql", githubtest.Fault{Status: 200, Body: `{"data":null,"errors":[{"message":"Something went wrong"}]}`, Times: 1})
	got, _ = ask(t, gh, "reader", query, nil)
	equal(t, got.Errors[0].Message, "Something went wrong")

	for _, tc := range []struct {
		fault  githubtest.Fault
		status int
		as     any
	}{
		{githubtest.Fault{Status: 502}, 502, new(*github.ErrorResponse)},
		{githubtest.Fault{Secondary: true}, 403, new(*github.AbuseRateLimitError)},
		{githubtest.Fault{RateLimited: true, Status: 403}, 403, new(*github.RateLimitError)},
	} {
		tc.fault.Times = 1
		gh.Fail("POST /graphql", tc.fault)
		c := client(t, gh, "reader")
		r, err := c.NewRequest("POST", "graphql", map[string]any{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(t.Context(), r, nil)
		if resp == nil || resp.StatusCode != tc.status || !errors.As(err, tc.as) {
			t.Errorf("%+v: got %v", tc.fault, err)
		}
	}
	equal(t, gh.Count("/graphql$"), 6)
}
