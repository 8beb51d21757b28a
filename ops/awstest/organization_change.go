package awstest

import (
	"maps"
	"slices"
	"strings"
)

type moveInput struct {
	AccountId, SourceParentId, DestinationParentId string
}

// moveAccount moves an account, whatever its state. One that isn't in the source is answered as one that isn't there at all,
// as AWS does even for an account that is in the destination already.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_MoveAccount.html
func moveAccount(_ *request, o *Organization, in *moveInput) (any, error) {
	if !accountID.MatchString(in.AccountId) || !parentID.MatchString(in.SourceParentId) || !parentID.MatchString(in.DestinationParentId) {
		return nil, orgInvalid("INVALID_PATTERN", badPattern)
	}
	source, destination := o.container(in.SourceParentId), o.container(in.DestinationParentId)
	a, err := (&accountInput{in.AccountId}).find(o)
	switch {
	case err != nil:
		return nil, err
	case source == nil:
		return nil, fail(400, "SourceParentNotFoundException", "You specified a source parent that doesn't exist.")
	case destination == nil:
		return nil, fail(400, "DestinationParentNotFoundException", "You specified a destination parent that doesn't exist.")
	case a.parent != source:
		return nil, fail(400, "AccountNotFoundException", "You specified an account that doesn't exist.")
	case source == destination:
		return nil, fail(400, "DuplicateAccountException", "The specified account is already present in the specified destination.")
	}
	o.keep(a.orgEntity)
	a.parent = destination
	o.cloud.touch()
	return answer{}, nil
}

type tagsInput struct{ ResourceId, NextToken string }

// tagged is the entity that tags are about.
func (o *Organization) tagged(r *request, id string) (*orgEntity, error) {
	switch {
	case policyID.MatchString(id):
		r.cloud.problem("%s: tags of the policy %s, which awstest doesn't have", r.name(), id)
		return nil, fail(400, "TargetNotFoundException", "awstest doesn't have tags of policies")
	case !targetID.MatchString(id):
		return nil, orgInvalid("INVALID_PATTERN", badPattern)
	}
	if e := o.entities[id]; e != nil {
		return e, nil
	}
	return nil, fail(400, "TargetNotFoundException", "You specified a target that doesn't exist.")
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListTagsForResource.html
func listTags(r *request, o *Organization, in *tagsInput) (any, error) {
	e, err := o.tagged(r, in.ResourceId)
	if err != nil {
		return nil, err
	}
	tags := o.seen(e).tags
	keys := slices.Sorted(maps.Keys(tags))
	items, next, err := orgPage(r, orgPageInput{NextToken: in.NextToken}, in.ResourceId, keys,
		func(key string) int64 { return int64(slices.Index(keys, key)) + 1 },
		func(key string) answer { return answer{"Key": key, "Value": tags[key]} })
	return answer{"Tags": items}.paged(next), err
}

type tagResourceInput struct {
	ResourceId string
	Tags       []sessionTag
}

func (in *tagResourceInput) keys(_ *Organization, k conditionKeys) {
	var names []string
	for _, t := range in.Tags {
		k.set("aws:RequestTag/"+t.Key, t.Value)
		names = append(names, t.Key)
	}
	k.set("aws:TagKeys", names...)
}

// tagResource sets tags, all or none. Unlike IAM's, their keys differ by case.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_TagResource.html
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_tagging.html
func tagResource(r *request, o *Organization, in *tagResourceInput) (any, error) {
	e, err := o.tagged(r, in.ResourceId)
	if err != nil {
		return nil, err
	}
	tags := maps.Clone(e.tags)
	if tags == nil {
		tags = map[string]string{}
	}
	seen := map[string]bool{}
	for _, t := range in.Tags {
		switch {
		case t.Key == "":
			return nil, orgInvalid("MIN_LENGTH_EXCEEDED", "You provided a tag key that is shorter than allowed.")
		case len([]rune(t.Key)) > 128, len([]rune(t.Value)) > 256:
			return nil, orgInvalid("MAX_LENGTH_EXCEEDED", "You provided a tag key or value that is longer than allowed.")
		case isSystemTag(t.Key):
			return nil, orgInvalid("INVALID_SYSTEM_TAGS_PARAMETER", "You specified a tag key that is a system tag.")
		case !tagText.MatchString(t.Key), !tagText.MatchString(t.Value):
			return nil, orgInvalid("INVALID_PATTERN", badPattern)
		case seen[t.Key]:
			return nil, orgInvalid("DUPLICATE_TAG_KEY", "Tag keys must be unique among the tags attached to the same entity.")
		}
		seen[t.Key] = true
		tags[t.Key] = t.Value
	}
	if len(tags) > maxTags {
		return nil, fail(400, "ConstraintViolationException", "You have exceeded the number of tags allowed on this resource.").
			with("Reason", "MAX_TAG_LIMIT_EXCEEDED")
	}
	o.keep(e)
	e.tags = tags
	o.cloud.touch()
	return answer{}, nil
}

type untagResourceInput struct {
	ResourceId string
	TagKeys    []string
}

func (in *untagResourceInput) keys(_ *Organization, k conditionKeys) {
	k.set("aws:TagKeys", in.TagKeys...)
}

// untagResource takes tags away; one that isn't there is no error.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_UntagResource.html
func untagResource(r *request, o *Organization, in *untagResourceInput) (any, error) {
	e, err := o.tagged(r, in.ResourceId)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(in.TagKeys, isSystemTag) {
		return nil, orgInvalid("INVALID_SYSTEM_TAGS_PARAMETER", "You specified a tag key that is a system tag.")
	}
	o.keep(e)
	tags := maps.Clone(e.tags)
	maps.DeleteFunc(tags, func(key, _ string) bool { return slices.Contains(in.TagKeys, key) })
	e.tags = tags
	o.cloud.touch()
	return answer{}, nil
}

func isSystemTag(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }
