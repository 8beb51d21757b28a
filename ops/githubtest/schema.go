package githubtest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// graphField is a field of a type in GraphQL.
type graphField struct {
	// kind is the type's name; list: a list of it. A required field that can't be had takes its parent along.
	kind           string
	list, required bool
	arguments      []graphArgument
	// scopes are those of which a classic token needs one.
	scopes  []string
	resolve func(x *execution, parent any, given map[string]any) (any, *graphError)
}

type graphArgument struct {
	name, kind string
	required   bool
}

func (f graphField) argument(name string) (graphArgument, bool) {
	i := slices.IndexFunc(f.arguments, func(a graphArgument) bool { return a.name == name })
	if i < 0 {
		return graphArgument{}, false
	}
	return f.arguments[i], true
}

// scalars are the types without fields.
var scalars = []string{"String", "Int", "Boolean", "ID"}

// schema is the corner of GitHub's schema that this GitHub knows: types, and their fields by name.
// https://docs.github.com/en/graphql/reference
func schema() map[string]map[string]graphField {
	return map[string]map[string]graphField{
		"Query": {
			"organization": {kind: "Organization", arguments: []graphArgument{{"login", "String", true}}, resolve: findOrganization},
		},
		"Organization": {
			"id":         attribute("ID", true, func(o *organization) any { return node("Organization", o.id) }),
			"databaseId": attribute("Int", false, func(o *organization) any { return o.id }),
			"login":      attribute("String", true, func(o *organization) any { return o.login }),
			"name":       attribute("String", false, func(o *organization) any { return o.login }),
			"samlIdentityProvider": {
				kind: "OrganizationIdentityProvider", scopes: []string{"read:org", "admin:org"}, resolve: findProvider,
			},
		},
		"OrganizationIdentityProvider": {
			"id": attribute("ID", true, func(o *organization) any { return node("OrganizationIdentityProvider", o.id) }),
			"externalIdentities": {
				kind: "ExternalIdentityConnection", required: true, resolve: listIdentities,
				arguments: []graphArgument{
					{"after", "String", false},
					{"first", "Int", false},
					{"login", "String", false},
					{"membersOnly", "Boolean", false},
					{"userName", "String", false},
				},
			},
		},
		"ExternalIdentityConnection": {
			"totalCount": attribute("Int", true, func(c *connection) any { return c.total }),
			"pageInfo":   attribute("PageInfo", true, func(c *connection) any { return c }),
			"nodes":      listOf("ExternalIdentity", func(c *connection) []*externalIdentity { return c.page }),
			"edges":      listOf("ExternalIdentityEdge", func(c *connection) []*externalIdentity { return c.page }),
		},
		"PageInfo": {
			"hasNextPage":     attribute("Boolean", true, func(c *connection) any { return c.more }),
			"hasPreviousPage": attribute("Boolean", true, func(c *connection) any { return c.before }),
			"startCursor":     attribute("String", false, func(c *connection) any { return c.cursor(0) }),
			"endCursor":       attribute("String", false, func(c *connection) any { return c.cursor(len(c.page) - 1) }),
		},
		"ExternalIdentityEdge": {
			"cursor": attribute("String", true, func(e *externalIdentity) any { return e.cursor() }),
			"node":   attribute("ExternalIdentity", false, func(e *externalIdentity) any { return e }),
		},
		"ExternalIdentity": {
			"id":           attribute("ID", true, func(e *externalIdentity) any { return node("ExternalIdentity", e.id) }),
			"guid":         attribute("String", true, func(e *externalIdentity) any { return e.guid }),
			"samlIdentity": attribute("ExternalIdentitySamlAttributes", false, func(e *externalIdentity) any { return e }),
			"scimIdentity": attribute("ExternalIdentityScimAttributes", false, func(e *externalIdentity) any { return present(e.options.UserName != "", e) }),
			"user":         attribute("User", false, func(e *externalIdentity) any { return present(e.user != nil, e.user) }),
		},
		"ExternalIdentitySamlAttributes": {
			"nameId":   attribute("String", false, func(e *externalIdentity) any { return e.nameID }),
			"username": attribute("String", false, func(e *externalIdentity) any { return e.options.SAMLUserName }),
			"emails":   listOf("UserEmailMetadata", func(e *externalIdentity) []string { return e.options.Emails }),
		},
		"ExternalIdentityScimAttributes": {
			"username": attribute("String", false, func(e *externalIdentity) any { return e.options.UserName }),
			"emails":   listOf("UserEmailMetadata", func(e *externalIdentity) []string { return e.options.Emails }),
		},
		"UserEmailMetadata": {
			"value": attribute("String", true, func(address string) any { return address }),
		},
		"User": {
			"id":         attribute("ID", true, func(u *user) any { return node("User", u.id) }),
			"databaseId": attribute("Int", false, func(u *user) any { return u.id }),
			"login":      attribute("String", true, func(u *user) any { return u.login }),
		},
	}
}

// attribute is a field without arguments that anyone who has its parent may see.
func attribute[P any](kind string, required bool, get func(P) any) graphField {
	return graphField{kind: kind, required: required, resolve: func(_ *execution, parent any, _ map[string]any) (any, *graphError) {
		return get(parent.(P)), nil
	}}
}

func listOf[P, E any](kind string, get func(P) []E) graphField {
	return graphField{kind: kind, list: true, resolve: func(_ *execution, parent any, _ map[string]any) (any, *graphError) {
		all := []any{}
		for _, one := range get(parent.(P)) {
			all = append(all, one)
		}
		return all, nil
	}}
}

// present is null where a thing isn't there.
func present(there bool, thing any) any {
	if !there {
		return nil
	}
	return thing
}

func findOrganization(x *execution, _ any, given map[string]any) (any, *graphError) {
	login, _ := given["login"].(string)
	if !strings.EqualFold(login, x.s.org.login) {
		return nil, &graphError{kind: "NOT_FOUND", message: "Could not resolve to an Organization with the login of '" + login + "'."}
	}
	return x.s.org, nil
}

// connection is a page of a list.
type connection struct {
	total        int
	page         []*externalIdentity
	before, more bool
}

// cursor is where the page's entry of that number stands; null where there's none.
func (c *connection) cursor(i int) any {
	if i < 0 || i >= len(c.page) {
		return nil
	}
	return c.page[i].cursor()
}

// paged is the page of a list, in the order of IDs, that first and after ask for.
// https://docs.github.com/en/graphql/guides/using-pagination-in-the-graphql-api
func paged(x *execution, name string, all []*externalIdentity, given map[string]any) (any, *graphError) {
	first, ok := given["first"].(int64)
	switch {
	case !ok:
		return nil, &graphError{kind: "MISSING_PAGINATION_BOUNDARIES", message: fmt.Sprintf("You must provide a `first` or `last` value to properly paginate the `%s` connection.", name)}
	case first > largestPage:
		return nil, &graphError{kind: "EXCESSIVE_PAGINATION", message: fmt.Sprintf("Requesting %d records on the `%s` connection exceeds the `first` limit of %d records.", first, name, largestPage)}
	case first < 0:
		return nil, &graphError{message: fmt.Sprintf("`first` on the `%s` connection cannot be less than zero.", name)}
	}
	c := &connection{total: len(all), page: all}
	if after, ok := given["after"].(string); ok {
		id, ok := decodeCursor(after)
		if !ok {
			return nil, &graphError{kind: "INVALID_CURSOR_ARGUMENTS", message: "`" + after + "` does not appear to be a valid cursor."}
		}
		for len(c.page) > 0 && c.page[0].id <= id {
			c.page, c.before = c.page[1:], true
		}
	}
	if size := min(int(first), x.s.options.PageSize); size < len(c.page) {
		c.page, c.more = c.page[:size], true
	}
	return c, nil
}

const cursorForm = "cursor:v2:"

func (e *externalIdentity) cursor() string {
	return base64.StdEncoding.EncodeToString([]byte(cursorForm + strconv.FormatInt(e.id, 10)))
}

func decodeCursor(text string) (int64, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	digits, ok := strings.CutPrefix(string(b), cursorForm)
	if err != nil || !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil
}
