/* SPDX-License-Identifier: ISC */
#include "fs/private.h"

#include <errno.h>

/* Threads are started as they are needed.  Merges wait for each other, and
 * questions need not wait behind them. */
#define JOB_THREADS 64

struct job {
	void (*run)(void *context);
	void *context;
	struct job *next;
};

struct jobs {
	pthread_mutex_t lock;		/* guards the rest */
	pthread_cond_t wake;
	struct job *first, **last;
	size_t queued, idle;		/* jobs; threads */
	bool end;
	pthread_t threads[JOB_THREADS];
	size_t thread_count;
};

/* NULL: the end. */
static struct job *take(struct jobs *jobs)
{
	struct job *job;

	SCOPED_LOCK(&jobs->lock);
	jobs->idle++;
	while (!jobs->first && !jobs->end)
		pthread_cond_wait(&jobs->wake, &jobs->lock);
	jobs->idle--;
	job = jobs->first;
	if (!job)
		return NULL;
	jobs->first = job->next;
	jobs->queued--;
	if (!jobs->first)
		jobs->last = &jobs->first;
	return job;
}

static void *work(void *context)
{
	struct job *job;

	while ((job = take(context))) {
		job->run(job->context);
		free(job);
	}
	return NULL;
}

/* A thread that has been started but is not idle yet is missed here, at the
 * price of one thread too many. */
static int start_thread_locked(struct jobs *jobs)
{
	int r;

	if (jobs->queued < jobs->idle || jobs->thread_count == JOB_THREADS)
		return 0;
	r = thread_start(&jobs->threads[jobs->thread_count], work, jobs);
	if (r == 0)
		jobs->thread_count++;
	/* those that there are will do */
	return jobs->thread_count ? 0 : r;
}

int jobs_add(struct jobs *jobs, void (*run)(void *context), void *context)
{
	struct job *job = malloc(sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ .run = run, .context = context };
	SCOPED_LOCK(&jobs->lock);
	r = start_thread_locked(jobs);
	if (r < 0) {
		free(job);
		return r;
	}
	*jobs->last = job;
	jobs->last = &job->next;
	jobs->queued++;
	pthread_cond_signal(&jobs->wake);
	return 0;
}

int jobs_new(struct jobs **ret)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->wake, NULL);
	jobs->last = &jobs->first;
	*ret = jobs;
	return 0;
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	pthread_mutex_lock(&jobs->lock);
	jobs->end = true;
	pthread_cond_broadcast(&jobs->wake);
	pthread_mutex_unlock(&jobs->lock);
	for (size_t i = 0; i < jobs->thread_count; i++)
		pthread_join(jobs->threads[i], NULL);
	pthread_cond_destroy(&jobs->wake);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}
