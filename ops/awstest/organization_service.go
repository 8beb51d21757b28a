package awstest

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
)

// organizationsService is AWS Organizations. It is global: whatever Region a call is signed for, policies see us-east-1. Which
// resources each action needs is the Actions table of
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
// https://docs.aws.amazon.com/organizations/latest/APIReference/Welcome.html
func organizationsService() *service {
	w := jsonWire("Message")
	w.throttled = "TooManyRequestsException"
	return &service{
		name:   "organizations",
		wire:   w,
		action: targetAction("AWSOrganizationsV20161128"),
		calls: map[string]call{
			"DescribeOrganization":             orgCall("DescribeOrganization", members, onEverything, describeOrganization),
			"DescribeAccount":                  orgCall("DescribeAccount", readers, onAccount, describeAccount),
			"DescribeOrganizationalUnit":       orgCall("DescribeOrganizationalUnit", readers, onOU, describeOU),
			"ListAccounts":                     orgCall("ListAccounts", readers, onEverything, listAccounts),
			"ListAccountsForParent":            orgCall("ListAccountsForParent", readers, onParent, listAccountsForParent),
			"ListChildren":                     orgCall("ListChildren", readers, onChildrenOf, listChildren),
			"ListOrganizationalUnitsForParent": orgCall("ListOrganizationalUnitsForParent", readers, onParent, listOUs),
			"ListParents":                      orgCall("ListParents", readers, onChild, listParents),
			"ListRoots":                        orgCall("ListRoots", readers, onEverything, listRoots),
			"MoveAccount":                      orgCall("MoveAccount", management, onMove, moveAccount),
			"CloseAccount":                     orgCall("CloseAccount", management, onAccount, closeAccount),

			"ListTagsForResource": orgCall("ListTagsForResource", readers, onTagged, listTags),
			"TagResource":         orgCall("TagResource", management, onTag, tagResource),
			"UntagResource":       orgCall("UntagResource", management, onUntag, untagResource),

			"ListPoliciesForTarget": orgCall("ListPoliciesForTarget", readers, onTarget, listPoliciesForTarget),
			"DescribePolicy":        orgCall("DescribePolicy", readers, onPolicy, describePolicy),

			"ListDelegatedAdministrators":     orgCall("ListDelegatedAdministrators", readers, onEverything, listDelegatedAdministrators),
			"ListDelegatedServicesForAccount": orgCall("ListDelegatedServicesForAccount", readers, onDelegate, listDelegatedServices),
		},
	}
}

// audience says which accounts may use an action, whatever their policies allow.
type audience int

const (
	management audience = iota // the management account only; there is no resource-based delegation policy here
	readers                    // delegated administrators too
	members                    // every account of the Organization
)

// orgCall makes an action of the API.
func orgCall[In any](name string, who audience, on func(*Organization, *In) []string, run func(*request, *Organization, *In) (any, error)) call {
	here := func(r *request) *Organization {
		if r.cloud.organization == nil {
			return &Organization{}
		}
		return r.cloud.organization
	}
	made := jsonCall(name,
		func(r *request, in *In) []string { return on(here(r), in) },
		func(r *request, in *In) (any, error) {
			o := here(r)
			caller := o.account(r.who.account)
			switch {
			case caller == nil:
				return nil, fail(400, "AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
			case who == members || caller.id == o.management:
			case who == management || !caller.administers(""):
				return nil, fail(400, "AccessDeniedException", "You don't have permissions to access this resource.")
			}
			if o.over(caller.id, name) {
				return nil, fail(400, "TooManyRequestsException", "Rate exceeded")
			}
			return run(r, o, in)
		})
	made.keys = func(r *request, in any) conditionKeys {
		k := conditionKeys{}
		k.set("aws:RequestedRegion", "us-east-1")
		if more, ok := in.(interface {
			keys(o *Organization, k conditionKeys)
		}); ok {
			more.keys(here(r), k)
		}
		return k
	}
	made.tags = func(r *request, arn string) map[string]string {
		if e := here(r).entities[arn[strings.LastIndex(arn, "/")+1:]]; e != nil {
			return e.tags
		}
		return nil
	}
	return made
}

var (
	parentID         = regexp.MustCompile(`^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$`)
	childID          = regexp.MustCompile(`^(\d{12}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$`)
	targetID         = regexp.MustCompile(`^(\d{12}|r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$`)
	ouID             = regexp.MustCompile(`^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$`)
	policyID         = regexp.MustCompile(`^p-[0-9a-zA-Z_]{8,128}$`)
	servicePrincipal = regexp.MustCompile(`^[\w+=,@-]+(\.[\w+=,@-]+)*\.amazonaws\.com$`)
)

// arn is the ARN of a root, an OU or an account, which needn't exist.
func (o *Organization) arn(id string) string {
	kind := "account"
	switch {
	case strings.HasPrefix(id, "r-"):
		kind = "root"
	case strings.HasPrefix(id, "ou-"):
		kind = "ou"
	}
	return "arn:aws:organizations::" + o.management + ":" + kind + "/" + o.id + "/" + id
}

// onEverything is for the actions that know no resources.
func onEverything[In any](*Organization, *In) []string { return []string{"*"} }

func onAccount(o *Organization, in *accountInput) []string { return []string{o.arn(in.AccountId)} }

func onDelegate(o *Organization, in *delegateInput) []string { return []string{o.arn(in.AccountId)} }

func onOU(o *Organization, in *ouInput) []string { return []string{o.arn(in.OrganizationalUnitId)} }

func onParent(o *Organization, in *parentInput) []string { return []string{o.arn(in.ParentId)} }

func onChildrenOf(o *Organization, in *childrenInput) []string { return []string{o.arn(in.ParentId)} }

func onChild(o *Organization, in *childInput) []string { return []string{o.arn(in.ChildId)} }

func onTarget(o *Organization, in *policiesInput) []string { return []string{o.arn(in.TargetId)} }

func onTagged(o *Organization, in *tagsInput) []string { return []string{o.arn(in.ResourceId)} }

func onTag(o *Organization, in *tagResourceInput) []string { return []string{o.arn(in.ResourceId)} }

func onUntag(o *Organization, in *untagResourceInput) []string { return []string{o.arn(in.ResourceId)} }

// onMove is the account and both of its parents.
func onMove(o *Organization, in *moveInput) []string {
	return []string{o.arn(in.AccountId), o.arn(in.SourceParentId), o.arn(in.DestinationParentId)}
}

func orgInvalid(reason, format string, args ...any) *failure {
	return fail(400, "InvalidInputException", format, args...).with("Reason", reason)
}

const badPattern = "You provided a value that does not match the required pattern."

// orgPageInput are the parameters of lists.
type orgPageInput struct {
	MaxResults *int
	NextToken  string
}

// orgToken is where the next page begins and which list it belongs to.
type orgToken struct {
	List  string
	After int64
	Empty int  // pages so far since the last one with items
	Last  bool // only an empty page is left
}

// orgPage cuts one page out of all, which is in the order of serial. about is what else beside the action the list is about. The
// token names the last item of the page before, so a list that changes in between skips and repeats nothing that stayed.
func orgPage[T any](r *request, in orgPageInput, about string, all []T, serial func(T) int64, show func(T) answer) ([]answer, string, error) {
	size := 20
	if in.MaxResults != nil {
		switch size = *in.MaxResults; {
		case size < 1:
			return nil, "", orgInvalid("MIN_VALUE_EXCEEDED", "You specified a MaxResults that is less than 1.")
		case size > 20:
			return nil, "", orgInvalid("MAX_VALUE_EXCEEDED", "You specified a MaxResults that is greater than 20.")
		}
	}
	if r.cloud.pageSize > 0 {
		size = min(size, r.cloud.pageSize)
	}
	at := orgToken{List: r.action + " " + about}
	if in.NextToken != "" {
		var given orgToken
		raw, err := base64.StdEncoding.DecodeString(in.NextToken)
		if err == nil {
			err = json.Unmarshal(raw, &given)
		}
		if err != nil || given.List != at.List {
			return nil, "", orgInvalid("INVALID_NEXT_TOKEN", "You specified an invalid NextToken.")
		}
		at = given
	}
	token := func() string {
		raw, _ := json.Marshal(at)
		return base64.StdEncoding.EncodeToString(raw)
	}
	empty := r.cloud.organization.emptyPages
	items := []answer{}
	switch {
	case at.Last:
		return items, "", nil
	case at.Empty < empty:
		at.Empty++
		return items, token(), nil
	}
	for i, one := range all {
		if serial(one) <= at.After {
			continue
		}
		if len(items) == size {
			at.After, at.Empty = serial(all[i-1]), 0
			return items, token(), nil
		}
		items = append(items, show(one))
	}
	if empty > 0 {
		at.Last = true
		return items, token(), nil
	}
	return items, "", nil
}
