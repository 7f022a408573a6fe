SELECT name, queue, serializer FROM arqlight_jobs.tasks ORDER BY name
