package githubtest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
)

// ExternalIdentityOptions say what else the identity provider told of somebody. The zero value is nothing.
type ExternalIdentityOptions struct {
	// SAMLUserName is the attribute "username" of SAML. Empty: the NameID.
	SAMLUserName string
	// UserName is the userName of SCIM. Empty: they weren't provisioned through SCIM, and have no scimIdentity.
	UserName string
	// Emails are their addresses there.
	Emails []string
}

// externalIdentity is somebody at the organisation's SAML identity provider, and who they are on GitHub.
type externalIdentity struct {
	id      int64
	guid    string
	nameID  string
	user    *user // nil: unclaimed
	options ExternalIdentityOptions
}

// EnableSAML gives the organisation a SAML identity provider. AddExternalIdentity does so too. (On GitHub an organisation
// whose enterprise has one has none itself: leave it disabled to have that.)
// https://docs.github.com/en/enterprise-cloud@latest/organizations/managing-saml-single-sign-on-for-your-organization
func (s *Server) EnableSAML() {
	s.edit(func() { s.org.saml = true })
}

// DisableSAML takes the identity provider away; the identities are there again when it's enabled again.
func (s *Server) DisableSAML() {
	s.edit(func() { s.org.saml = false })
}

// AddExternalIdentity links somebody at the SAML identity provider (their NameID there, an address mostly) to the login
// that they signed in with, who is added to GitHub, though not to the organisation, where missing; with the empty login
// nobody has claimed it yet, and it has no user. It returns its GUID. A NameID may be there more than once, as those stay
// that nobody claimed; a login that has an identity already panics, and so do more than one options.
func (s *Server) AddExternalIdentity(nameID, login string, options ...ExternalIdentityOptions) (guid string) {
	s.edit(func() {
		e := &externalIdentity{nameID: nameID}
		switch len(options) {
		case 0:
		case 1:
			e.options = options[0]
			e.options.Emails = slices.Clone(e.options.Emails)
		default:
			panic(fmt.Sprintf("githubtest: AddExternalIdentity %q: %d options", nameID, len(options)))
		}
		e.options.SAMLUserName = cmp.Or(e.options.SAMLUserName, nameID)
		if login != "" {
			e.user = s.ensureUser(login)
			if slices.ContainsFunc(s.identities, func(other *externalIdentity) bool { return other.user == e.user }) {
				panic(fmt.Sprintf("githubtest: AddExternalIdentity: %s has an identity already", e.user.login))
			}
		}
		var b [16]byte
		rand.Read(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		e.id, e.guid = s.nextID(), fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
		s.org.saml, s.identities = true, append(s.identities, e)
		guid = e.guid
	})
	return guid
}

// RemoveExternalIdentity takes away every identity with that NameID. One that isn't there is no error.
func (s *Server) RemoveExternalIdentity(nameID string) {
	s.edit(func() {
		s.identities = slices.DeleteFunc(s.identities, func(e *externalIdentity) bool { return e.nameID == nameID })
	})
}

// findProvider shows the identity provider to whom GitHub shows it: the organisation's owners, their classic tokens with
// read:org or admin:org (see scopes), and Apps that may read members. An App that acts for a person is both.
// https://docs.github.com/en/graphql/reference/objects#organization
func findProvider(x *execution, parent any, _ map[string]any) (any, *graphError) {
	o := parent.(*organization)
	member := o.members[x.who.user]
	forbidden := &graphError{kind: "FORBIDDEN", message: notByIntegration, extensions: map[string]any{"saml_failure": false}}
	switch {
	case !o.saml:
		return nil, nil
	case x.who.app != nil && !x.who.may("members"):
		return nil, forbidden
	case x.who.app == nil && !x.who.classic():
		forbidden.message = notByToken
		return nil, forbidden
	case x.who.user != nil && (member == nil || !member.owner || member.pending):
		return nil, nil
	}
	return o, nil
}

// listIdentities finds by the letter: GitHub doesn't say that case doesn't matter, but for logins.
// https://docs.github.com/en/graphql/reference/objects#organizationidentityprovider
func listIdentities(x *execution, _ any, given map[string]any) (any, *graphError) {
	var found []*externalIdentity
	for _, e := range x.s.identities {
		names := []string{e.nameID, e.options.SAMLUserName, e.options.UserName}
		if name, ok := given["userName"].(string); ok && (name == "" || !slices.Contains(names, name)) {
			continue
		}
		if login, ok := given["login"].(string); ok && (e.user == nil || !strings.EqualFold(login, e.user.login)) {
			continue
		}
		if given["membersOnly"] == true {
			if m := x.s.org.members[e.user]; m == nil || m.pending {
				continue
			}
		}
		found = append(found, e)
	}
	return paged(x, "externalIdentities", found, given)
}
