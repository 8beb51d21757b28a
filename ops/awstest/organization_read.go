package awstest

import (
	"slices"
	"time"
)

// answer is the account as the API shows it.
func (a *orgAccount) answer(o *Organization) answer {
	a.settle(o.cloud.now())
	out := answer{
		"Id": a.id, "Arn": o.arn(a.id), "Name": a.name, "Email": a.email, "JoinedMethod": a.method,
		"JoinedTimestamp": seconds(a.joined), "Paths": []string{o.pathText(a.orgEntity)},
	}
	if a.state != "" {
		out["State"] = a.state
	}
	if a.status != "" {
		out["Status"] = a.status
	}
	return out
}

// seconds is a time as the API's numbers have it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

type accountInput struct{ AccountId string }

// find is the account that the parameters name.
func (in *accountInput) find(o *Organization) (*orgAccount, error) {
	if !accountID.MatchString(in.AccountId) {
		return nil, orgInvalid("INVALID_PATTERN", badPattern)
	}
	if a := o.account(in.AccountId); a != nil {
		return a, nil
	}
	return nil, fail(400, "AccountNotFoundException", "You specified an account that doesn't exist.")
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeAccount.html
func describeAccount(_ *request, o *Organization, in *accountInput) (any, error) {
	a, err := in.find(o)
	if err != nil {
		return nil, err
	}
	return answer{"Account": a.answer(o)}, nil
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
func listAccounts(r *request, o *Organization, in *orgPageInput) (any, error) {
	return accountPage(r, o, *in, "", o.accounts)
}

func accountPage(r *request, o *Organization, in orgPageInput, about string, all []*orgAccount) (any, error) {
	items, next, err := orgPage(r, in, about, all,
		func(a *orgAccount) int64 { return a.serial }, func(a *orgAccount) answer { return a.answer(o) })
	return answer{"Accounts": items}.paged(next), err
}

type parentInput struct {
	ParentId string
	orgPageInput
}

// parent is the root or the OU that a list is of.
func (o *Organization) parent(id string) (*orgEntity, error) {
	if !parentID.MatchString(id) {
		return nil, orgInvalid("INVALID_PATTERN", badPattern)
	}
	if e := o.container(id); e != nil {
		return e, nil
	}
	return nil, fail(400, "ParentNotFoundException", "You specified a parent that doesn't exist.")
}

// in are the accounts that are in the root or the OU itself.
func (o *Organization) in(parent *orgEntity) []*orgAccount {
	return slices.DeleteFunc(slices.Clone(o.accounts), func(a *orgAccount) bool { return a.parent != parent })
}

// under are the OUs that are in the root or the OU itself.
func (o *Organization) under(parent *orgEntity) []*orgEntity {
	return slices.DeleteFunc(slices.Clone(o.units), func(u *orgEntity) bool { return u.parent != parent })
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccountsForParent.html
func listAccountsForParent(r *request, o *Organization, in *parentInput) (any, error) {
	parent, err := o.parent(in.ParentId)
	if err != nil {
		return nil, err
	}
	return accountPage(r, o, in.orgPageInput, in.ParentId, o.in(parent))
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListOrganizationalUnitsForParent.html
func listOUs(r *request, o *Organization, in *parentInput) (any, error) {
	parent, err := o.parent(in.ParentId)
	if err != nil {
		return nil, err
	}
	items, next, err := orgPage(r, in.orgPageInput, in.ParentId, o.under(parent), (*orgEntity).order, o.ou)
	return answer{"OrganizationalUnits": items}.paged(next), err
}

func (e *orgEntity) order() int64 { return e.serial }

// ou is an OU as the API shows it.
func (o *Organization) ou(u *orgEntity) answer {
	return answer{"Id": u.id, "Arn": o.arn(u.id), "Name": u.name, "Path": o.pathText(u)}
}

type ouInput struct{ OrganizationalUnitId string }

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganizationalUnit.html
func describeOU(_ *request, o *Organization, in *ouInput) (any, error) {
	if !ouID.MatchString(in.OrganizationalUnitId) {
		return nil, orgInvalid("INVALID_PATTERN", badPattern)
	}
	u := o.container(in.OrganizationalUnitId)
	if u == nil {
		return nil, fail(400, "OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist.")
	}
	return answer{"OrganizationalUnit": o.ou(u)}, nil
}

type childrenInput struct {
	ParentId, ChildType string
	orgPageInput
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListChildren.html
func listChildren(r *request, o *Organization, in *childrenInput) (any, error) {
	parent, err := o.parent(in.ParentId)
	if err != nil {
		return nil, err
	}
	var all []*orgEntity
	switch in.ChildType {
	case "ACCOUNT":
		for _, a := range o.in(parent) {
			all = append(all, a.orgEntity)
		}
	case "ORGANIZATIONAL_UNIT":
		all = o.under(parent)
	default:
		return nil, orgInvalid("INVALID_ENUM", "You specified an invalid value for ChildType.")
	}
	items, next, err := orgPage(r, in.orgPageInput, in.ParentId+" "+in.ChildType, all, (*orgEntity).order,
		func(e *orgEntity) answer { return answer{"Id": e.id, "Type": in.ChildType} })
	return answer{"Children": items}.paged(next), err
}

type childInput struct {
	ChildId string
	orgPageInput
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html
func listParents(r *request, o *Organization, in *childInput) (any, error) {
	if !childID.MatchString(in.ChildId) {
		return nil, orgInvalid("INVALID_PATTERN", badPattern)
	}
	e := o.entities[in.ChildId]
	if e == nil {
		return nil, fail(400, "ChildNotFoundException", "You specified a child that doesn't exist.")
	}
	items, next, err := orgPage(r, in.orgPageInput, in.ChildId, []*orgEntity{o.seen(e).parent}, (*orgEntity).order,
		func(parent *orgEntity) answer {
			kind := "ORGANIZATIONAL_UNIT"
			if parent == o.root {
				kind = "ROOT"
			}
			return answer{"Id": parent.id, "Type": kind}
		})
	return answer{"Parents": items}.paged(next), err
}

// enabledTypes are the policy types that are enabled.
var enabledTypes = []answer{{"Type": scpType, "Status": "ENABLED"}}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListRoots.html
func listRoots(r *request, o *Organization, in *orgPageInput) (any, error) {
	items, next, err := orgPage(r, *in, "", []*orgEntity{o.root}, (*orgEntity).order, func(root *orgEntity) answer {
		return answer{"Id": root.id, "Arn": o.arn(root.id), "Name": root.name, "PolicyTypes": enabledTypes}
	})
	return answer{"Roots": items}.paged(next), err
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html
func describeOrganization(_ *request, o *Organization, _ *struct{}) (any, error) {
	return answer{"Organization": answer{
		"Id": o.id, "Arn": "arn:aws:organizations::" + o.management + ":organization/" + o.id, "FeatureSet": "ALL",
		"MasterAccountId": o.management, "MasterAccountArn": o.arn(o.management),
		"MasterAccountEmail": o.account(o.management).email, "AvailablePolicyTypes": enabledTypes,
	}}, nil
}

type administratorsInput struct {
	ServicePrincipal *string
	orgPageInput
}

func (in *administratorsInput) keys(_ *Organization, k conditionKeys) {
	if in.ServicePrincipal != nil {
		k.set("organizations:ServicePrincipal", *in.ServicePrincipal)
	}
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListDelegatedAdministrators.html
func listDelegatedAdministrators(r *request, o *Organization, in *administratorsInput) (any, error) {
	service := ""
	if in.ServicePrincipal != nil {
		if service = *in.ServicePrincipal; !servicePrincipal.MatchString(service) {
			return nil, orgInvalid("UNRECOGNIZED_SERVICE_PRINCIPAL", "You specified an unrecognized service principal.")
		}
	}
	all := slices.DeleteFunc(slices.Clone(o.accounts), func(a *orgAccount) bool { return !a.administers(service) })
	items, next, err := orgPage(r, in.orgPageInput, service, all, func(a *orgAccount) int64 { return a.serial },
		func(a *orgAccount) answer {
			out := a.answer(o)
			delete(out, "Paths")
			out["DelegationEnabledDate"] = seconds(a.services[0].since)
			return out
		})
	return answer{"DelegatedAdministrators": items}.paged(next), err
}

type delegateInput struct {
	accountInput
	orgPageInput
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListDelegatedServicesForAccount.html
func listDelegatedServices(r *request, o *Organization, in *delegateInput) (any, error) {
	a, err := in.find(o)
	switch {
	case err != nil:
		return nil, err
	case len(a.services) == 0:
		return nil, fail(400, "AccountNotRegisteredException", "The provided account is not a registered delegated administrator for your organization.")
	}
	items, next, err := orgPage(r, in.orgPageInput, in.AccountId, a.services,
		func(d delegatedService) int64 { return int64(slices.Index(a.services, d)) + 1 },
		func(d delegatedService) answer {
			return answer{"ServicePrincipal": d.principal, "DelegationEnabledDate": seconds(d.since)}
		})
	return answer{"DelegatedServices": items}.paged(next), err
}
